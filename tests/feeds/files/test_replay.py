"""Who waits for the end is told of it once, whatever lives there were."""

import asyncio

from ticktree.feeds.files import FilesReplay

from ...probe import turns_until


async def test_it_is_over_when_all_was_told_and_not_when_another_life_goes_on() -> None:
    replay = FilesReplay()
    replay.stop()
    await replay.over()
    replay.go_on()
    waiting = asyncio.create_task(replay.over())
    await asyncio.sleep(0)
    assert not waiting.done()
    replay.end(None)
    await turns_until(waiting.done)
    replay.go_on()
    await replay.over()
    assert replay.ended


def test_before_it_began_there_is_no_progress_and_no_note() -> None:
    replay = FilesReplay()
    assert replay.progress().bytes_total == 0
    assert replay.notes == {}
