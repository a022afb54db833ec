"""What users subclass, and worked strategies."""
