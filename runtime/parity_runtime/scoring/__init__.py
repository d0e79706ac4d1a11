"""Files in, answers out: chunk by chunk, in order, in constant memory."""
