"""The invariants of execution, held against a model venue that loses, repeats, delays and reorders what is said."""
