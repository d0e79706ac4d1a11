"""What a trained network has learned, in figures and plots."""
