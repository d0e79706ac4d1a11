"""Files in, predictions out: chunk by chunk, in order, in constant memory."""
