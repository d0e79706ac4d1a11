"""The commands that need torch and onnx: export, check, diff, certify."""
