"""``parity doctor``: what is installed here, what of it works, and how to mend the rest. Needs Python and click alone.

What may crash or hang (onnxruntime, torch, a driver) runs in a process of its own with a time limit.
"""
