"""Writes TorchScript parts in the layout that lightswitch loads."""
