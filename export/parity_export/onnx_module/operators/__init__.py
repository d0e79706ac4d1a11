"""ONNX's operators by torch's, a file a family."""
