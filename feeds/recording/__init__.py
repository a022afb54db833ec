"""What arrived, kept as it arrived: recorded beside a live feed, read again, replayed as a feed."""

from .entries import Entry as Entry, EntryKind as EntryKind, read as read
