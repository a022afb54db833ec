"""The pairs that Kraken lists, as instruments with their usual names: BTC-USD for its XBT/USD, DOGE for its XDG.

Source: https://docs.kraken.com/exchange, "Get Tradable Asset Pairs".
"""

from decimal import Decimal

from msgspec import Struct

from ticktree.market import BadInstrument, Instrument, TradingStatus

USUAL = {"XBT": "BTC", "XDG": "DOGE"}
_OURS = {usual: theirs for theirs, usual in USUAL.items()}

# While only some orders are taken nothing is matched, but for limit orders.
TRADED = ("online", "limit_only")
GONE = ("delisted", "hidden")


class Pair(Struct):
    """What of a pair in /0/public/AssetPairs we use. Until 2022 without tick size, least cost and status."""

    wsname: str = ""  # what it is called here; dark pools have none
    pair_decimals: int = -1
    lot_decimals: int = -1
    tick_size: Decimal | None = None
    costmin: Decimal = Decimal(0)
    status: str = "online"

    @property
    def name(self) -> str:
        """As we write it."""
        return "-".join(USUAL.get(asset, asset) for asset in self.wsname.split("/"))

    def instrument(self) -> Instrument:
        """What it defines. Raises `BadInstrument`."""
        if symbol_of(self.name) != self.wsname:
            raise BadInstrument(
                f"{self.name}: the exchange calls it {self.wsname[:64]!r}, which its name does not tell"
            )
        price = _increment(self.pair_decimals) if self.tick_size is None else self.tick_size
        return Instrument(self.name, 0, price, _increment(self.lot_decimals), self.costmin, status=self._status())

    def _status(self) -> TradingStatus:
        if self.status in GONE:
            return TradingStatus.CLOSED
        return TradingStatus.TRADING if self.status in TRADED else TradingStatus.HALTED


class AssetPairs(Struct):
    """The answer of /0/public/AssetPairs."""

    error: list[str]
    result: dict[str, Pair] = {}


def _increment(decimals: int) -> Decimal:
    if not 0 <= decimals <= 30:
        raise BadInstrument(f"there is no increment of {decimals!r:.60} decimals")
    return Decimal(1).scaleb(-decimals)


def symbol_of(name: str) -> str:
    """What the exchange calls the instrument that we write BASE-QUOTE."""
    return "/".join(_OURS.get(asset, asset) for asset in name.split("-"))
