"""Packages behind HTTP, by the Open Inference Protocol (version 2): what ``parity serve`` runs (``[serve]``)."""
