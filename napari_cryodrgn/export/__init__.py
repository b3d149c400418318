"""What leaves the program to be looked at: pictures and movies, made without a display."""
