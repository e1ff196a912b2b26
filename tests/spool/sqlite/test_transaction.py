from intercomd_daemon.spool.sqlite.transaction import Transaction


def test_each_transaction_has_its_own_logs_that_have_grown(transaction: Transaction) -> None:
    other = Transaction(transaction.database, transaction.ledger.copy(), 0.0, 0.0)
    assert transaction.grown == other.grown == set()
    assert transaction.grown is not other.grown
