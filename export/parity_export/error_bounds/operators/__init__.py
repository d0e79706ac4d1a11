"""The error rule of each ONNX operator."""
