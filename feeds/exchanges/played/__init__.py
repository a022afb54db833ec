"""What is particular to each exchange when its recording is played back."""
