"""Data loading, loss, schedules and the trainer."""
