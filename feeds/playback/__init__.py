"""The recorded exchange: a recording served over real HTTP and WebSockets, as the exchange did."""

from .cuts import Cuts as Cuts
from .errors import (
    CannotListen as CannotListen,
    ForeignRecording as ForeignRecording,
    NothingRecorded as NothingRecorded,
    PlaybackError as PlaybackError,
    UnknownExchange as UnknownExchange,
)
from .exchange import RecordedExchange as RecordedExchange, Start as Start
from .particular import Answer as Answer, Books as Books, Listener as Listener, Played as Played, Stream as Stream
