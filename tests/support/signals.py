"""Signal dispositions for child processes, which inherit what their parent ignores and blocks."""

import signal

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def restore_defaults() -> None:
    """Stops ignoring and blocking signals, so that children start with the defaults, whatever started this process.

    A shell without job control starts background commands with SIGINT ignored, `nohup` ignores SIGHUP, and some
    supervisors block signals. Call it in the main thread.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    for number in STOPPING:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, the kernel keeps no exit codes
