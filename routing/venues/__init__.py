"""Where orders are executed: one package for each kind of venue."""
