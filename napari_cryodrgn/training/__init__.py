"""Training: prepared images, loss, schedules, the epoch loop, resuming. No Qt, no decoding."""
