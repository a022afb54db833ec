"""Where orders are executed: one module for each venue."""
