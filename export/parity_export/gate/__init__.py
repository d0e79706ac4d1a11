"""The parity gate: which questions are asked, what torch answers in float64, which backends must agree, how nearly."""
