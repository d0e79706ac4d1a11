"""What is known of a trained network on the rows that were held out, beyond its metrics: numbers, no pictures."""
