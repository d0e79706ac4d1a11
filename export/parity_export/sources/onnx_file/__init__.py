"""ONNX files that somebody else exported: read, and asked what they take and mean."""
