"""Hand-off: a message is handled within its sender's call, without a turn of the loop ("Hand-off" in
docs/guarantees.md).
"""

from typing import TYPE_CHECKING, Any

from .lane import Wake
from .scheduler import TURN_NS

if TYPE_CHECKING:
    from .cell import ActorCell
    from .life import Life

DEPTH = 4


def hand_off_to(cell: "ActorCell", life: "Life") -> Wake:
    """What wakes `cell` during `life`: hands a message off to it where that is allowed, else lets it have a turn."""
    # All it touches is looked up once a life, not once a message: 6 % of a hand-off.
    scheduler, lane, control, handle, enqueue = cell.scheduler, cell.lane, cell.control.items, life.handle, cell.enqueue
    monotonic_ns = scheduler.monotonic_ns
    handed = 0  # the read callback in which it was last handed something

    def hand_off(message: Any, weight: int) -> bool:
        nonlocal handed
        burst, depth = scheduler.burst, scheduler.depth
        if handed >= burst or depth >= DEPTH:
            return enqueue()
        now_ns = monotonic_ns()
        if scheduler.handed is None:
            scheduler.burst_began_ns = now_ns
        elif now_ns - scheduler.burst_began_ns >= TURN_NS:
            return enqueue()
        handed, scheduler.handed, scheduler.depth = burst, cell, depth + 1
        lane.limit += weight  # it leaves the queue without having been in it
        lane.in_hand = weight
        try:
            if (awaitable := handle(message)) is not None:
                cell.woken_ns = now_ns
                life.suspend(awaitable, message)
                return True
            lane.in_hand = 0
        except BaseException as error:
            life.crash(error, message)
            return True
        finally:
            scheduler.depth = depth
        if lane.items or control or lane.waiting:
            enqueue()
        else:
            lane.asleep = True
        return True

    return cell.system.watchdog.copy_of(cell.path, hand_off)
