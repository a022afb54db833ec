"""Ticks across: the hub from topics to mailboxes, and the relay to other processes."""

from .hub import Hub as Hub, Subscription as Subscription
