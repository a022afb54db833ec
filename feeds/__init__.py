"""Ticks in: feed actors that read, order and check what an exchange sends."""

from .account import FeedAccount as FeedAccount
from .errors import (
    BadMessage as BadMessage,
    ChecksumFailed as ChecksumFailed,
    FeedError as FeedError,
    NoSnapshot as NoSnapshot,
    NotAsked as NotAsked,
    Refused as Refused,
    UnknownInstruments as UnknownInstruments,
    UnknownKind as UnknownKind,
    UnknownMessage as UnknownMessage,
)
from .feed import Acknowledged as Acknowledged, Decoded as Decoded, Feed as Feed
from .records import RecordFeed as RecordFeed
from .sequence import SequenceRule as SequenceRule
from .source import Source as Source
from .wire import WireFeed as WireFeed
