"""Say what crosses a wire, as pure values and functions."""
