"""The queue of waiting runs, and the runner that starts them."""
