from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref

import pytest

from consumer.lane import Lane


async def test_a_call_runs_in_a_thread_of_the_lane_and_answers_on_the_loop() -> None:
    answer = await Lane("verbs").run(threading.current_thread)
    assert answer.name == "verbs-1"


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
async def test_whatever_a_call_raises_is_raised_where_it_is_awaited_and_the_lane_goes_on(error: BaseException) -> None:
    lane = Lane("verbs")

    def fail() -> None:
        raise error

    future = lane.run(fail)
    await asyncio.wait([future])
    assert future.exception() is error
    assert await lane.run(lambda: 1) == 1


async def test_no_thread_starts_before_the_first_call_nor_more_than_are_allowed() -> None:
    before = threading.active_count()
    lane = Lane("verbs", threads=2)
    assert threading.active_count() == before
    names = {(await lane.run(threading.current_thread)).name for _ in range(10)}
    assert names <= {"verbs-1", "verbs-2"}


async def test_calls_of_one_thread_run_in_their_order_and_two_threads_side_by_side() -> None:
    ran: list[int] = []
    lane = Lane("verbs")
    await asyncio.gather(*(lane.run(lambda number=number: ran.append(number)) for number in range(50)))  # type: ignore[misc]
    assert ran == list(range(50))
    together, wide = threading.Barrier(2, timeout=20), Lane("wide", threads=2)
    await asyncio.gather(wide.run(together.wait), wide.run(together.wait))


async def test_a_call_that_is_given_up_disturbs_nobody() -> None:
    broken: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda *words: broken.append(words))
    go, lane = threading.Event(), Lane("verbs")
    given_up = lane.run(lambda: go.wait(20))
    given_up.cancel()
    go.set()
    assert await lane.run(lambda: 2) == 2
    assert given_up.cancelled()
    assert broken == []


async def test_a_waiting_thread_keeps_nothing_of_its_last_call_alive() -> None:
    class Held:
        pass

    lane, held = Lane("verbs"), Held()
    gone = weakref.ref(held)
    await lane.run(lambda held=held: held)  # type: ignore[misc]
    del held
    for _ in range(100):
        gc.collect()
        if gone() is None:
            return
        await asyncio.sleep(0)
    pytest.fail("it is kept")


def test_a_call_that_outlives_its_loop_ends_its_thread_without_a_word() -> None:
    go, lane = threading.Event(), Lane("orphan")

    async def leave() -> None:
        lane.run(lambda: go.wait(20))

    asyncio.run(leave())
    (thread,) = (one for one in threading.enumerate() if one.name == "orphan-1")
    go.set()
    thread.join(20)
    assert not thread.is_alive()


async def test_a_thread_that_a_call_starts_is_no_daemon_unless_it_is_told_to_be() -> None:
    def start() -> tuple[bool, bool]:
        return threading.Thread().daemon, threading.Thread(daemon=True).daemon

    assert await Lane("one").run(start) == (False, True)


def test_interpreter_exit_does_not_wait_for_a_call_that_hangs() -> None:
    code = (
        "import asyncio, threading\n"
        "from consumer.lane import Lane\n"
        "async def hang():\n"
        "    began = asyncio.Event()\n"
        "    loop = asyncio.get_running_loop()\n"
        "    Lane('hangs').run(lambda: (loop.call_soon_threadsafe(began.set), threading.Event().wait()))\n"
        "    await began.wait()\n"
        "asyncio.run(hang())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
