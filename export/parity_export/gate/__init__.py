"""The parity gate: which probes are run, what torch answers in float64, which backends must agree, how nearly."""
