"""Publishers in processes that fork, preload, or end without a close.

Where envelopes must arrive, a daemon of its own delivers them, and each must reach Intercom exactly once. Where a
response must be held back, the server in this process takes the daemon's place.
"""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Daemon, RunningDaemon

WAIT_SECONDS = 120.0
"""An interpreter starts and loads gRPC, on a busy machine beside many others."""

HEADER = """
import asyncio, multiprocessing, os, sys
from intercomd import BlockingPublisher, CustomEvent, Envelope, Identity, Publisher, PublishError

def event(name):
    return Envelope(identity=Identity(customer_id="42"), custom_event=CustomEvent(name=name))

target = sys.argv[1]
"""


async def run(daemon: "Daemon | RunningDaemon", program: str, **environment: str) -> tuple[int | None, str]:
    """Runs a program with the daemon's target; returns its exit code and all of its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HEADER + textwrap.dedent(program),
        daemon.target,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | environment,
    )
    async with asyncio.timeout(WAIT_SECONDS):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_blocking_publisher_survives_forks_before_and_after_its_first_publish(running: "RunningDaemon") -> None:
    program = """
    used, unused = BlockingPublisher(target), BlockingPublisher(target)
    used.publish_and_wait(event("parent"))

    def child(number):
        used.publish_and_wait(event(f"used-{number}"))
        unused.publish_and_wait(event(f"unused-{number}"))
        assert used.close() == unused.close() == []

    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=child, args=(number,)) for number in range(3)]
    for each in children: each.start()
    for each in children: each.join()
    assert [each.exitcode for each in children] == [0, 0, 0]
    used.publish_and_wait(event("after"))
    assert used.close() == unused.close() == []
    """
    code, output = await run(running, program)
    assert code == 0, output
    names = ["parent", "after", *(f"{kind}-{number}" for kind in ("used", "unused") for number in range(3))]
    assert sorted(await running.delivered(len(names))) == sorted(names)


async def test_child_does_not_send_what_its_parent_has_published(daemon: "Daemon") -> None:
    daemon.answering.clear()
    program = """
    publisher = BlockingPublisher(target)
    publisher.publish(event("parent"))
    if os.fork() == 0:
        assert publisher.close() == []
        sys.exit(0)
    os.wait()
    assert publisher.close(0.01)[0].custom_event.name == "parent"
    """
    code, output = await run(daemon, program)
    assert code == 0, output


async def test_child_of_a_parent_with_an_open_asyncio_publisher_gets_an_error_at_once(running: "RunningDaemon") -> None:
    program = """
    async def use(publisher):
        await publisher.publish(event("child"))

    async def make():
        Publisher(target)

    async def main():
        publisher = Publisher(target)
        await publisher.publish_and_wait(event("parent"))
        if os.fork() == 0:
            asyncio._set_running_loop(None)
            for attempt in (use(publisher), make()):
                try:
                    asyncio.run(attempt)
                except PublishError as error:
                    assert "BlockingPublisher" in str(error) and "post_fork" in str(error)
                else:
                    os._exit(1)
            with BlockingPublisher(target) as blocking:
                blocking.publish(event("blocking child"))
            assert asyncio.run(publisher.close()) == []
            os._exit(0)
        assert os.wait()[1] == 0
        await publisher.publish_and_wait(event("after"))
        await publisher.close()

    asyncio.run(main())
    """
    code, output = await run(running, program)
    assert code == 0, output
    assert await running.delivered(3) == ["parent", "blocking child", "after"]


ENDS = {
    "blocking": """
    publisher = BlockingPublisher(target)
    for number in range(100): publisher.publish(event(f"event-{number}"))
    """,
    "asyncio": """
    async def main():
        publisher = Publisher(target)
        for number in range(100): await publisher.publish(event(f"event-{number}"))

    asyncio.run(main())
    """,
    "multiprocessing": """
    def child():
        publisher = BlockingPublisher(target)
        for number in range(100): publisher.publish(event(f"event-{number}"))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    sys.exit(process.exitcode)
    """,
}


@pytest.mark.parametrize("end", ENDS)
async def test_process_that_ends_without_close_loses_nothing(running: "RunningDaemon", end: str) -> None:
    code, output = await run(running, ENDS[end])
    assert code == 0, output
    assert await running.delivered(100) == [f"event-{number}" for number in range(100)]


@pytest.mark.parametrize("end", ["blocking", "asyncio", "multiprocessing"])
async def test_process_that_cannot_flush_ends_and_logs_the_count(daemon: "Daemon", end: str) -> None:
    await daemon.stop()
    code, output = await run(daemon, ENDS[end])
    assert code == 0, output
    assert "100 envelopes were not sent when the process ended" in output


SIGNALLED = """
    import logging, signal, traceback
    from intercomd import PublisherSettings
    logging.basicConfig(format="%(message)s")
    settings = PublisherSettings(close_seconds=1000)
    publisher = BlockingPublisher(target, settings=settings)
    for number in range(3): publisher.publish(event(f"event-{number}"))

    def left():
        return [envelope.custom_event.name for envelope in publisher.unanswered]

    # Has a signal call the handler while close() runs.
    def in_close(handler):
        def on_alarm(number, frame):
            if "close" in [each.name for each in traceback.extract_stack(frame)]:
                handler()
            else:
                signal.setitimer(signal.ITIMER_REAL, 0.3)
        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.3)

    def interrupt():
        raise KeyboardInterrupt

    names = ["event-0", "event-1", "event-2"]
"""


@pytest.mark.parametrize(
    "close",
    [
        # A handler that raises, as Python's own for SIGINT.
        """
    in_close(interrupt)
    try: publisher.close()
    except KeyboardInterrupt: pass
    else: raise SystemExit("not interrupted")
    assert left() == names and publisher.close() == publisher.unanswered
    """,
        """
    in_close(interrupt)
    try:
        with publisher: pass
    except KeyboardInterrupt: pass
    assert left() == names
    """,
        # A handler that closes and exits, as services do for SIGTERM.
        """
    def stop():
        assert [envelope.custom_event.name for envelope in publisher.close(0.1)] == names
        logging.warning("3 envelopes were not answered")
        sys.exit(0)
    in_close(stop)
    publisher.close()
    """,
        # A handler that closes and returns.
        """
    in_close(lambda: publisher.close(0.1))
    assert publisher.close() == publisher.unanswered and left() == names
    logging.warning("3 envelopes were not answered")
    """,
        # In asyncio a signal cancels the task that closes.
        """
    async def main():
        publishing = Publisher(target, settings=settings)
        for name in names: await publishing.publish(event(name))
        asyncio.get_running_loop().call_later(0.3, asyncio.current_task().cancel)
        try: await publishing.close()
        except asyncio.CancelledError: pass
        assert [envelope.custom_event.name for envelope in publishing.unanswered] == names
    publisher.close(0)
    asyncio.run(main())
    """,
    ],
)
async def test_signal_ends_a_close_that_waits(daemon: "Daemon", close: str) -> None:
    daemon.answering.clear()
    code, output = await run(daemon, SIGNALLED + close)
    assert code == 0, output
    assert "3 envelopes were not answered" in output
    daemon.answering.set()


async def test_grpcs_fork_support_is_logged_as_a_warning(daemon: "Daemon") -> None:
    program = """
    with BlockingPublisher(target) as publisher: publisher.publish(event("a"))
    """
    assert "GRPC_ENABLE_FORK_SUPPORT is set" in (await run(daemon, program, GRPC_ENABLE_FORK_SUPPORT="1"))[1]
    assert (await run(daemon, program))[1] == ""


async def test_no_thread_and_no_socket_are_left_after_close(daemon: "Daemon") -> None:
    program = """
    import threading
    def sockets():
        links = []
        for name in os.listdir("/proc/self/fd"):
            try: links.append(os.readlink(f"/proc/self/fd/{name}"))
            except OSError: pass
        return len([link for link in links if link.startswith("socket:")])

    before = sockets()
    with BlockingPublisher(target) as publisher: publisher.publish(event("a"))
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
    while sockets() != before: os.sched_yield()  # gRPC closes them on a thread of its own
    """
    code, output = await run(daemon, program)
    assert code == 0, output


APPLICATION = """
import os
from intercomd import BlockingPublisher, CustomEvent, Envelope, Identity

publisher = BlockingPublisher(os.environ["TARGET"])

def publish(name):
    event = CustomEvent(name=name)
    return publisher.publish_and_wait(Envelope(identity=Identity(customer_id="42"), custom_event=event))

publish("parent")

def application(environ, start_response):
    publish(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


async def test_publisher_of_a_preloaded_gunicorn_application_works_in_its_workers(
    running: "RunningDaemon", tmp_path: Path
) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    socket = tmp_path / "gunicorn.sock"
    command = ["-m", "gunicorn", "--preload", "--workers=2", f"--bind=unix:{socket}", "application:application"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TARGET": running.target},
    )
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_SECONDS):
        while b"Booting worker" not in await process.stderr.readline():
            pass
        for number in range(6):
            reader, writer = await asyncio.open_unix_connection(socket)
            writer.write(f"GET /{number} HTTP/1.0\r\n\r\n".encode())
            assert b"200 OK" in await reader.read()
            writer.close()
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert await running.delivered(7) == ["parent", *(f"/{number}" for number in range(6))]


TASKS = """
import os
from celery import Celery
from intercomd import BlockingPublisher, CustomEvent, Envelope, Identity

folder = os.environ["FOLDER"]
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}
publisher = BlockingPublisher(os.environ["TARGET"])
publisher.publish_and_wait(Envelope(identity=Identity(customer_id="42"), custom_event=CustomEvent(name="loaded")))

@app.task
def publish(name):
    publisher.publish_and_wait(Envelope(identity=Identity(customer_id="42"), custom_event=CustomEvent(name=name)))
"""


async def test_publisher_of_a_celery_application_works_in_its_prefork_workers(
    running: "RunningDaemon", tmp_path: Path
) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "broker").mkdir()
    environment = os.environ | {"TARGET": running.target, "FOLDER": str(tmp_path / "broker")}
    command = ["-m", "celery", "-A", "tasks", "worker", "--pool=prefork", "--concurrency=2", "--without-mingle"]
    worker = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL, env=environment
    )
    program = "import tasks\nfor n in range(4): tasks.publish.delay(f'task-{n}')\ntasks.publisher.close()"
    sender = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=tmp_path, env=environment)
    async with asyncio.timeout(WAIT_SECONDS):
        assert await sender.wait() == 0
        # The worker and the sender both load the module, which publishes once.
        await running.delivered(6)
        worker.send_signal(signal.SIGTERM)
        await worker.wait()
    assert sorted(await running.delivered(6)) == ["loaded", "loaded", *(f"task-{number}" for number in range(4))]
