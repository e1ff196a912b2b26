-- The spool of intercomd, version 1. Functions carry the version that introduced them, as neighbouring releases use one
-- database side by side. Every function takes its locks in one order: the daemon's row, the lease, the connections
-- ascending, the journal. What a statement reads under a lock is read by a later statement than the one that locks:
-- under READ COMMITTED the snapshot of a statement is older than the locks that it takes.
-- Texts of senders are bytea: text cannot hold U+0000.

-- A schema that exists stays: the owner of the database may have created it for a role that may not.
DO $$ BEGIN IF to_regnamespace('intercomd') IS NULL THEN CREATE SCHEMA intercomd; END IF; END $$;
SET LOCAL search_path = intercomd;

CREATE TABLE spool (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    spool_id text NOT NULL
);
INSERT INTO spool (version, spool_id) VALUES (1, gen_random_uuid()::text);

-- Unique over all connections. A connection's row is locked while it takes positions, so they rise with its commits.
CREATE SEQUENCE positions;

CREATE TABLE connections (
    number integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    paused boolean NOT NULL DEFAULT false,
    workspace text NOT NULL DEFAULT ''
);

-- What waits is the difference of the two: appends and settlements do not wait for each other. `last` is the highest
-- key of a log. No row of a log up to its `head` is left: reads start there, not among the dead rows before it.
CREATE TABLE appended (
    connection integer PRIMARY KEY, normal bigint NOT NULL DEFAULT 0, bulk bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0, normal_last bigint NOT NULL DEFAULT 0, bulk_last bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
CREATE TABLE settled (
    connection integer PRIMARY KEY, normal bigint NOT NULL DEFAULT 0, bulk bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0, parked_lanes bigint NOT NULL DEFAULT 0, dead_letters bigint NOT NULL DEFAULT 0,
    normal_head bigint NOT NULL DEFAULT 0, bulk_head bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- Two rows for each process: its appends and its settlements. A new session fences what the old one sent.
CREATE TABLE daemons (
    incarnation text NOT NULL, kind text NOT NULL, session bigint NOT NULL, number bigint NOT NULL DEFAULT 0,
    results bigint[] NOT NULL DEFAULT '{}', daemon_id text NOT NULL, seen float8 NOT NULL,
    PRIMARY KEY (incarnation, kind)
) WITH (fillfactor = 10);

CREATE TABLE leases (
    workspace text PRIMARY KEY, incarnation text NOT NULL DEFAULT '', epoch bigint NOT NULL DEFAULT 0,
    renewal bigint NOT NULL DEFAULT 0, timeline bigint NOT NULL DEFAULT 0, daemon_id text NOT NULL DEFAULT '',
    since float8 NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT '',
    pacing_limit bigint NOT NULL DEFAULT 0, window_ends float8 NOT NULL DEFAULT 0, calls_used bigint NOT NULL DEFAULT 0,
    reset float8 NOT NULL DEFAULT 0,
    -- The daemon that held it before; whether its owner cannot deliver; the process to which it is being moved.
    previous text NOT NULL DEFAULT '', offered boolean NOT NULL DEFAULT false, successor text NOT NULL DEFAULT ''
) WITH (fillfactor = 10);

-- Who is there: a row for each process, which changes it with each heartbeat and deletes it when it stops. The two
-- arrays are parallel: the connections that it is configured for, and the workspace of each. `digests` are those of the sections of
-- its settings, as JSON.
CREATE TABLE members (
    incarnation text PRIMARY KEY, daemon_id text NOT NULL, heartbeats bigint NOT NULL DEFAULT 0, since float8 NOT NULL,
    seen float8 NOT NULL, connections text[] NOT NULL, workspaces text[] NOT NULL,
    version text NOT NULL DEFAULT '', digests text NOT NULL DEFAULT '{}'
) WITH (fillfactor = 10);

-- The trail finds rows by 32 bits of their lane, email and id. They are in the index of the keys: an index of their own
-- would change a random page for each row, and a search reads the index of a million rows in 0.1 s.
CREATE TABLE log (
    key bigint NOT NULL, lane_hash integer NOT NULL, email_hash integer NOT NULL, id_hash integer NOT NULL,
    accept_time float8 NOT NULL, lane bytea NOT NULL, envelope_id bytea NOT NULL, data bytea NOT NULL
) WITH (
    autovacuum_vacuum_threshold = 50000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_threshold = 50000, toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_cost_delay = 0
);
CREATE UNIQUE INDEX log_by_key ON log (key, lane_hash, email_hash, id_hash);
CREATE TABLE parked (LIKE log INCLUDING STORAGE, connection integer NOT NULL) WITH (
    autovacuum_vacuum_threshold = 50000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0
);
CREATE UNIQUE INDEX parked_by_key ON parked (key, lane_hash, email_hash, id_hash);
CREATE INDEX parked_by_lane ON parked (connection, lane, key);
CREATE TABLE lanes (
    connection integer NOT NULL, lane bytea NOT NULL, due float8 NOT NULL, attempts integer NOT NULL,
    PRIMARY KEY (connection, lane)
);
CREATE INDEX lanes_by_due ON lanes (connection, due, lane);
CREATE TABLE progress (key bigint PRIMARY KEY, data bytea NOT NULL);
CREATE TABLE damaged (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, place text NOT NULL, key bigint NOT NULL, lane bytea NOT NULL,
    reason text NOT NULL, data bytea NOT NULL
);

-- The duplicate window: three partitions in rotation, those of the young generation, of the one before, and of the
-- outgoing one. That is emptied: ids whose envelope still waits are carried over to the young one in steps. `carried_…`
-- is the last id that a step has looked at, `appended` the rows ever appended when the generation began.
CREATE TABLE recent (slot integer NOT NULL, connection integer NOT NULL, envelope_id bytea NOT NULL, key bigint NOT NULL)
    PARTITION BY LIST (slot);
CREATE TABLE recent_0 PARTITION OF recent FOR VALUES IN (0);
CREATE TABLE recent_1 PARTITION OF recent FOR VALUES IN (1);
CREATE TABLE recent_2 PARTITION OF recent FOR VALUES IN (2);
CREATE UNIQUE INDEX recent_by_id ON recent (connection, envelope_id, slot);
CREATE TABLE generations (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), generation bigint NOT NULL DEFAULT 0,
    turned_at float8 NOT NULL DEFAULT 0, elapsed float8 NOT NULL DEFAULT 0, appended bigint NOT NULL DEFAULT 0,
    carried_connection integer NOT NULL DEFAULT 0, carried_id bytea NOT NULL DEFAULT '',
    carried boolean NOT NULL DEFAULT true, emptied boolean NOT NULL DEFAULT true
) WITH (fillfactor = 10);
INSERT INTO generations DEFAULT VALUES;

CREATE TABLE seconds (
    key bigint PRIMARY KEY, owner bigint NOT NULL, number bigint NOT NULL GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX seconds_by_number ON seconds (number);

CREATE TABLE contacts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, connection integer NOT NULL, contact_id bytea NOT NULL,
    data bytea NOT NULL, UNIQUE (connection, contact_id)
);
CREATE TABLE identities (
    connection integer NOT NULL, lane bytea NOT NULL, contact bigint NOT NULL, PRIMARY KEY (connection, lane)
);
CREATE INDEX identities_by_contact ON identities (contact);

-- The journal: four partitions in rotation, the oldest of which is truncated.
CREATE TABLE journal_counter (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), sequence bigint NOT NULL DEFAULT 0,
    slot integer NOT NULL DEFAULT 0, slot_first bigint NOT NULL DEFAULT 1, slot_since float8 NOT NULL DEFAULT 0,
    first_kept bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO journal_counter DEFAULT VALUES;
CREATE TABLE journal (
    slot integer NOT NULL, sequence bigint NOT NULL, connection integer NOT NULL, envelope_id bytea NOT NULL,
    customer_id bytea NOT NULL, email bytea NOT NULL, type integer NOT NULL, end_time float8 NOT NULL, data bytea NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE journal_0 PARTITION OF journal FOR VALUES IN (0);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
CREATE TABLE journal_2 PARTITION OF journal FOR VALUES IN (2);
CREATE TABLE journal_3 PARTITION OF journal FOR VALUES IN (3);
CREATE UNIQUE INDEX journal_by_sequence ON journal (sequence, slot);

CREATE TABLE dead_letters (
    id bigint PRIMARY KEY, connection integer NOT NULL, bulk boolean NOT NULL, origin bigint NOT NULL,
    envelope_id bytea NOT NULL, customer_id bytea NOT NULL, email bytea NOT NULL, reason text NOT NULL,
    accept_time float8 NOT NULL, data bytea NOT NULL
);
CREATE INDEX dead_letters_by_origin ON dead_letters (origin, id);

CREATE TABLE forwarded (
    caller bytea NOT NULL, agent_id bytea NOT NULL, connection bytea NOT NULL, sequence bigint NOT NULL,
    data bytea NOT NULL, duplicates integer[] NOT NULL, used_at float8 NOT NULL,
    PRIMARY KEY (caller, agent_id, connection)
);
CREATE INDEX forwarded_by_use ON forwarded (used_at);
CREATE TABLE states (name text PRIMARY KEY, data bytea NOT NULL);

-- The status of each connection, as the daemon that delivers it last reported it.
CREATE TABLE reports (
    connection integer PRIMARY KEY, incarnation text NOT NULL, data bytea NOT NULL
) WITH (fillfactor = 10);

-- Rejected and skipped envelopes. Those of a share, a caller and a connection, do not displace those of others.
CREATE TABLE refusals (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, share bytea NOT NULL, connection bytea NOT NULL,
    envelope_id bytea NOT NULL, customer_id bytea NOT NULL, email bytea NOT NULL, time float8 NOT NULL,
    size integer NOT NULL, data bytea NOT NULL
);

-- What operators ask of the daemon that holds the lease of a workspace.
CREATE TABLE orders (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace text NOT NULL, connection integer NOT NULL,
    kind text NOT NULL, key bigint NOT NULL, envelope_id bytea NOT NULL, sequence bigint NOT NULL,
    given timestamptz NOT NULL DEFAULT clock_timestamp(), answered boolean NOT NULL DEFAULT false,
    result bigint NOT NULL DEFAULT 0, error text NOT NULL DEFAULT ''
);

CREATE FUNCTION fence_1(the_incarnation text, the_kind text, the_session bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM daemons
        WHERE incarnation = the_incarnation AND kind = the_kind AND session = the_session FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'IC001';
    END IF;
END $$;

CREATE FUNCTION lease_1(the_workspace text, the_incarnation text, the_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF the_workspace = '' THEN
        RETURN;
    END IF;
    PERFORM 1 FROM leases
        WHERE workspace = the_workspace AND incarnation = the_incarnation AND epoch = the_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of % is lost', the_workspace USING ERRCODE = 'IC002';
    END IF;
END $$;

-- Begins a session: what the one before sent can no longer commit, so the number and results are final.
CREATE FUNCTION begin_session_1(the_incarnation text, the_kind text, the_daemon text, now float8)
    RETURNS TABLE (session bigint, number bigint, results bigint[]) LANGUAGE sql AS $$
    INSERT INTO daemons AS d (incarnation, kind, session, daemon_id, seen) VALUES ($1, $2, 1, $3, $4)
        ON CONFLICT (incarnation, kind) DO UPDATE SET session = d.session + 1, seen = $4
        RETURNING d.session, d.number, d.results
$$;

CREATE FUNCTION connection_1(the_name text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    found integer;
BEGIN
    SELECT number INTO found FROM connections WHERE name = the_name;
    IF found IS NULL THEN
        LOCK TABLE connections IN EXCLUSIVE MODE;
        SELECT number INTO found FROM connections WHERE name = the_name;
    END IF;
    IF found IS NULL THEN
        SELECT coalesce(max(number), 0) + 1 INTO found FROM connections;
        INSERT INTO connections (number, name) VALUES (found, the_name);
        INSERT INTO appended (connection) VALUES (found);
        INSERT INTO settled (connection) VALUES (found);
    END IF;
    RETURN found;
END $$;

-- Appends rows; returns the key of each, 0 for a duplicate.
CREATE FUNCTION append_1(
    the_incarnation text, the_session bigint, the_number bigint, now float8,
    row_connections integer[], row_bulk boolean[], row_lanes bytea[], row_ids bytea[], lane_hashes integer[],
    email_hashes integer[], id_hashes integer[], row_recognised boolean[], row_data bytea[],
    second_rows integer[], second_keys bigint[], second_owners bigint[],
    f_callers bytea[], f_agents bytea[], f_connections bytea[], f_sequences bigint[], f_data bytea[],
    f_first integer[], f_last integer[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    keys bigint[];
    added bigint[];
    young integer;
    taken text;
BEGIN
    PERFORM fence_1(the_incarnation, 'append', the_session);
    PERFORM 1 FROM appended WHERE connection = ANY (row_connections) ORDER BY connection FOR UPDATE;
    PERFORM pg_advisory_xact_lock_shared(hashtext('intercomd generation'));
    SELECT generation % 3 INTO young FROM generations;
    SELECT array_agg(key ORDER BY place) INTO keys FROM (
        SELECT ((2 * connection + bulk::integer)::bigint << 48) | nextval('positions') AS key, place
        FROM unnest(row_connections, row_bulk) WITH ORDINALITY AS given (connection, bulk, place)
    ) AS numbered;
    WITH new AS (
        INSERT INTO recent (slot, connection, envelope_id, key)
        SELECT DISTINCT ON (connection, id) young, connection, id, key
        FROM unnest(row_connections, row_ids, keys, row_recognised) WITH ORDINALITY
            AS given (connection, id, key, recognised, place)
        WHERE recognised AND NOT EXISTS (
            SELECT FROM recent WHERE recent.connection = given.connection AND recent.envelope_id = given.id)
        ORDER BY connection, id, place
        RETURNING key
    )
    SELECT coalesce(array_agg(CASE WHEN recognised AND new.key IS NULL THEN 0 ELSE given.key END ORDER BY place), '{}')
        INTO added
        FROM unnest(keys, row_recognised) WITH ORDINALITY AS given (key, recognised, place)
        LEFT JOIN new ON new.key = given.key;
    IF cardinality(second_keys) > 0 THEN
        WITH RECURSIVE conflicts AS (
            -- OFFSET 0 keeps the look-ups in the index: as a join they may read the whole table for one row.
            SELECT found.key, found.owner
            FROM unnest(second_rows, second_keys, second_owners) AS given (place, key, owner)
            CROSS JOIN LATERAL (SELECT s.key, s.owner FROM seconds AS s WHERE s.key = given.key OFFSET 0) AS found
            WHERE found.owner <> given.owner AND added[given.place] <> 0
            UNION
            SELECT found.key, found.owner FROM conflicts
            CROSS JOIN LATERAL (SELECT s.key, s.owner FROM seconds AS s WHERE s.key = conflicts.key + 1 OFFSET 0) AS found
        )
        SELECT string_agg(key || ' ' || owner, ',') INTO taken FROM conflicts;
        IF taken IS NOT NULL THEN
            RAISE EXCEPTION 'seconds are taken' USING ERRCODE = 'IC003', DETAIL = taken;
        END IF;
        INSERT INTO seconds (key, owner)
            SELECT key, owner FROM unnest(second_rows, second_keys, second_owners) WITH ORDINALITY
                AS given (place, key, owner, number)
            WHERE added[given.place] <> 0 ORDER BY number
            ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO log (key, lane_hash, email_hash, id_hash, accept_time, lane, envelope_id, data)
        SELECT key, lane_hash, email_hash, id_hash, now, lane, id, data
        FROM unnest(added, lane_hashes, email_hashes, id_hashes, row_lanes, row_ids, row_data)
            AS given (key, lane_hash, email_hash, id_hash, lane, id, data) WHERE key <> 0;
    UPDATE appended SET normal = appended.normal + new.normal, bulk = appended.bulk + new.bulk,
            bytes = appended.bytes + new.bytes, normal_last = greatest(normal_last, new.normal_key),
            bulk_last = greatest(bulk_last, new.bulk_key)
        FROM (
            SELECT connection, count(*) FILTER (WHERE NOT bulk) AS normal, count(*) FILTER (WHERE bulk) AS bulk,
                max(key) FILTER (WHERE NOT bulk) AS normal_key, max(key) FILTER (WHERE bulk) AS bulk_key,
                sum(length(data) + 200) AS bytes
            FROM unnest(added, row_connections, row_bulk, row_data) AS given (key, connection, bulk, data)
            WHERE key <> 0 GROUP BY connection
        ) AS new
        WHERE appended.connection = new.connection;
    INSERT INTO forwarded (caller, agent_id, connection, sequence, data, duplicates, used_at)
        SELECT caller, agent, connection, sequence, data, coalesce((
                SELECT array_agg(place - first ORDER BY place) FROM generate_series(first, last) AS place
                WHERE added[place] = 0), '{}'), now
        FROM unnest(f_callers, f_agents, f_connections, f_sequences, f_data, f_first, f_last)
            AS given (caller, agent, connection, sequence, data, first, last)
        ON CONFLICT (caller, agent_id, connection) DO UPDATE SET sequence = excluded.sequence, data = excluded.data,
            duplicates = excluded.duplicates, used_at = excluded.used_at;
    IF cardinality(f_callers) > 0 THEN
        DELETE FROM forwarded
            WHERE used_at < (SELECT used_at FROM forwarded ORDER BY used_at DESC OFFSET 4095 LIMIT 1);
    END IF;
    UPDATE daemons SET number = the_number, results = added WHERE incarnation = the_incarnation AND kind = 'append';
    RETURN added;
END $$;

-- Adds outcomes to the journal, in order; returns the sequence before the first.
CREATE FUNCTION journal_1(
    row_connections integer[], row_ids bytea[], row_customers bytea[], row_emails bytea[], row_types integer[],
    row_ends float8[], row_data bytea[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
    young integer;
BEGIN
    UPDATE journal_counter SET sequence = sequence + cardinality(row_ids)
        RETURNING sequence - cardinality(row_ids), slot INTO first, young;
    INSERT INTO journal (slot, sequence, connection, envelope_id, customer_id, email, type, end_time, data)
        SELECT young, first + place, connection, id, customer, email, type, end_time, data
        FROM unnest(row_connections, row_ids, row_customers, row_emails, row_types, row_ends, row_data) WITH ORDINALITY
            AS given (connection, id, customer, email, type, end_time, data, place);
    RETURN first;
END $$;

CREATE FUNCTION contact_1(the_connection integer, the_lane bytea, the_contact bytea, the_data bytea)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    after bigint;
BEGIN
    SELECT contact INTO before FROM identities WHERE connection = the_connection AND lane = the_lane;
    IF the_contact = '' THEN
        DELETE FROM identities WHERE connection = the_connection AND lane = the_lane;
    ELSE
        INSERT INTO contacts (connection, contact_id, data) VALUES (the_connection, the_contact, the_data)
            ON CONFLICT (connection, contact_id) DO UPDATE SET data = excluded.data RETURNING number INTO after;
        INSERT INTO identities (connection, lane, contact) VALUES (the_connection, the_lane, after)
            ON CONFLICT (connection, lane) DO UPDATE SET contact = excluded.contact;
    END IF;
    IF before IS DISTINCT FROM after THEN
        DELETE FROM contacts WHERE number = before AND NOT EXISTS (SELECT FROM identities WHERE contact = before);
    END IF;
END $$;

-- Commits settlements under a lease; returns the place of each completion that ended a row, and its sequence.
CREATE FUNCTION settle_1(
    the_incarnation text, the_session bigint, the_workspace text, the_epoch bigint,
    progress_keys bigint[], progress_data bytea[],
    row_keys bigint[], row_connections integer[], row_ids bytea[], row_customers bytea[], row_emails bytea[],
    row_types integer[], row_ends float8[], row_data bytea[],
    letter_data bytea[], letter_reasons text[], letter_origins bigint[], letter_accept_times float8[],
    c_connections integer[], c_lanes bytea[], c_contacts bytea[], c_data bytea[]
) RETURNS TABLE (place integer, sequence bigint, bytes bigint) LANGUAGE plpgsql AS $$
DECLARE
    gone bigint[];
    sizes bigint[];
    places integer[];
    first bigint;
BEGIN
    PERFORM fence_1(the_incarnation, 'settle', the_session);
    PERFORM lease_1(the_workspace, the_incarnation, the_epoch);
    PERFORM 1 FROM settled WHERE connection IN (SELECT key >> 49 FROM unnest(row_keys) AS given (key))
        ORDER BY connection FOR UPDATE;
    INSERT INTO progress (key, data)
        SELECT DISTINCT ON (key) key, data
        FROM unnest(progress_keys, progress_data) WITH ORDINALITY AS given (key, data, number)
        WHERE EXISTS (SELECT FROM log WHERE log.key = given.key) OR EXISTS (SELECT FROM parked WHERE parked.key = given.key)
        ORDER BY key, number DESC
        ON CONFLICT (key) DO UPDATE SET data = excluded.data;
    FOR at IN 1 .. cardinality(c_lanes) LOOP
        PERFORM contact_1(c_connections[at], c_lanes[at], c_contacts[at], c_data[at]);
    END LOOP;
    IF cardinality(row_keys) = 0 THEN
        RETURN;
    END IF;
    WITH from_log AS (DELETE FROM log WHERE key = ANY (row_keys) RETURNING key, length(data) + 200 AS size),
        from_lanes AS (DELETE FROM parked WHERE key = ANY (row_keys) RETURNING key, length(data) + 200 AS size),
        ended AS (SELECT * FROM from_log UNION ALL SELECT * FROM from_lanes)
        SELECT coalesce(array_agg(key), '{}'), coalesce(array_agg(size), '{}') INTO gone, sizes FROM ended;
    IF cardinality(gone) = 0 THEN
        RETURN;
    END IF;
    DELETE FROM progress WHERE key = ANY (gone);
    SELECT array_agg(at ORDER BY at) INTO places FROM (
        SELECT min(number)::integer AS at FROM unnest(row_keys) WITH ORDINALITY AS given (key, number)
        WHERE key = ANY (gone) GROUP BY key) AS firsts;
    UPDATE settled SET normal = settled.normal + left_.normal, bulk = settled.bulk + left_.bulk,
            bytes = settled.bytes + left_.size
        FROM (
            SELECT key >> 49 AS connection, count(*) FILTER (WHERE (key >> 48) & 1 = 0) AS normal,
                count(*) FILTER (WHERE (key >> 48) & 1 = 1) AS bulk, sum(size) AS size
            FROM unnest(gone, sizes) AS given (key, size) GROUP BY key >> 49
        ) AS left_
        WHERE settled.connection = left_.connection;
    UPDATE settled SET dead_letters = settled.dead_letters + letters.count, bytes = settled.bytes - letters.size
        FROM (
            SELECT row_connections[at] AS connection, count(*) AS count, sum(length(letter_data[at]) + 200) AS size
            FROM unnest(places) AS at WHERE letter_data[at] IS NOT NULL GROUP BY row_connections[at]
        ) AS letters
        WHERE settled.connection = letters.connection;
    first := journal_1(
        ARRAY(SELECT row_connections[at] FROM unnest(places) WITH ORDINALITY AS p (at, n) ORDER BY n),
        ARRAY(SELECT row_ids[at] FROM unnest(places) WITH ORDINALITY AS p (at, n) ORDER BY n),
        ARRAY(SELECT row_customers[at] FROM unnest(places) WITH ORDINALITY AS p (at, n) ORDER BY n),
        ARRAY(SELECT row_emails[at] FROM unnest(places) WITH ORDINALITY AS p (at, n) ORDER BY n),
        ARRAY(SELECT row_types[at] FROM unnest(places) WITH ORDINALITY AS p (at, n) ORDER BY n),
        ARRAY(SELECT row_ends[at] FROM unnest(places) WITH ORDINALITY AS p (at, n) ORDER BY n),
        ARRAY(SELECT row_data[at] FROM unnest(places) WITH ORDINALITY AS p (at, n) ORDER BY n));
    INSERT INTO dead_letters
            (id, connection, bulk, origin, envelope_id, customer_id, email, reason, accept_time, data)
        SELECT first + number, row_connections[at], (row_keys[at] >> 48) & 1 = 1, letter_origins[at], row_ids[at],
            row_customers[at], row_emails[at], letter_reasons[at], letter_accept_times[at], letter_data[at]
        FROM unnest(places) WITH ORDINALITY AS given (at, number) WHERE letter_data[at] IS NOT NULL;
    RETURN QUERY
        SELECT at, first + number, (SELECT size FROM unnest(gone, sizes) AS g (key, size) WHERE g.key = row_keys[at])
        FROM unnest(places) WITH ORDINALITY AS given (at, number) ORDER BY number;
END $$;

-- Moves rows of parked lanes out of the log.
CREATE FUNCTION move_1(
    the_incarnation text, the_session bigint, the_workspace text, the_epoch bigint, the_connection integer, keys bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fence_1(the_incarnation, 'settle', the_session);
    PERFORM lease_1(the_workspace, the_incarnation, the_epoch);
    WITH moved AS (DELETE FROM log WHERE key = ANY (keys) RETURNING *)
        INSERT INTO parked (key, lane_hash, email_hash, id_hash, accept_time, lane, envelope_id, data, connection)
        SELECT key, lane_hash, email_hash, id_hash, accept_time, lane, envelope_id, data, the_connection FROM moved;
END $$;

-- Parks a lane with rows of it; returns the number of lanes that are parked more than before.
CREATE FUNCTION park_1(
    the_incarnation text, the_session bigint, the_workspace text, the_epoch bigint, the_connection integer,
    the_lane bytea, keys bigint[], the_due float8, the_attempts integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    more integer;
BEGIN
    PERFORM move_1(the_incarnation, the_session, the_workspace, the_epoch, the_connection, keys);
    PERFORM 1 FROM settled WHERE connection = the_connection FOR UPDATE;
    INSERT INTO lanes (connection, lane, due, attempts) VALUES (the_connection, the_lane, the_due, the_attempts)
        ON CONFLICT (connection, lane) DO UPDATE SET due = excluded.due, attempts = excluded.attempts
        RETURNING (xmax = 0)::integer INTO more;
    UPDATE settled SET parked_lanes = parked_lanes + more WHERE connection = the_connection AND more > 0;
    RETURN more;
END $$;

CREATE FUNCTION unpark_1(
    the_incarnation text, the_session bigint, the_workspace text, the_epoch bigint, the_connection integer,
    the_lane bytea
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    less integer;
BEGIN
    PERFORM fence_1(the_incarnation, 'settle', the_session);
    PERFORM lease_1(the_workspace, the_incarnation, the_epoch);
    PERFORM 1 FROM settled WHERE connection = the_connection FOR UPDATE;
    DELETE FROM lanes WHERE connection = the_connection AND lane = the_lane AND NOT EXISTS (
        SELECT FROM parked WHERE parked.connection = the_connection AND parked.lane = the_lane);
    GET DIAGNOSTICS less = ROW_COUNT;
    UPDATE settled SET parked_lanes = parked_lanes - less WHERE connection = the_connection AND less > 0;
    RETURN less;
END $$;

-- Appends the rows of dead letters again; those that are gone meanwhile are left out. Returns the keys, 0 for those.
CREATE FUNCTION replay_1(
    the_incarnation text, the_session bigint, now float8, ids bigint[],
    row_connections integer[], row_bulk boolean[], row_lanes bytea[], row_ids bytea[], lane_hashes integer[],
    email_hashes integer[], id_hashes integer[], row_data bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    gone bigint[];
    keys bigint[];
BEGIN
    PERFORM fence_1(the_incarnation, 'append', the_session);
    PERFORM 1 FROM appended WHERE connection = ANY (row_connections) ORDER BY connection FOR UPDATE;
    PERFORM 1 FROM settled WHERE connection = ANY (row_connections) ORDER BY connection FOR UPDATE;
    WITH deleted AS (DELETE FROM dead_letters WHERE id = ANY (ids) RETURNING id, connection, length(data) + 200 AS size),
        counted AS (
            UPDATE settled SET dead_letters = settled.dead_letters - d.count, bytes = settled.bytes + d.size
            FROM (SELECT connection, count(*) AS count, sum(size) AS size FROM deleted GROUP BY connection) AS d
            WHERE settled.connection = d.connection)
        SELECT coalesce(array_agg(id), '{}') INTO gone FROM deleted;
    SELECT coalesce(array_agg(CASE WHEN ids[place] = ANY (gone) THEN key ELSE 0 END ORDER BY place), '{}') INTO keys FROM (
        SELECT ((2 * connection + bulk::integer)::bigint << 48) | nextval('positions') AS key, place
        FROM unnest(row_connections, row_bulk) WITH ORDINALITY AS given (connection, bulk, place)) AS numbered;
    INSERT INTO log (key, lane_hash, email_hash, id_hash, accept_time, lane, envelope_id, data)
        SELECT key, lane_hash, email_hash, id_hash, now, lane, id, data
        FROM unnest(keys, lane_hashes, email_hashes, id_hashes, row_lanes, row_ids, row_data)
            AS given (key, lane_hash, email_hash, id_hash, lane, id, data) WHERE key <> 0;
    UPDATE appended SET normal = appended.normal + new.normal, bulk = appended.bulk + new.bulk,
            bytes = appended.bytes + new.bytes, normal_last = greatest(normal_last, new.normal_key),
            bulk_last = greatest(bulk_last, new.bulk_key)
        FROM (
            SELECT connection, count(*) FILTER (WHERE NOT bulk) AS normal, count(*) FILTER (WHERE bulk) AS bulk,
                max(key) FILTER (WHERE NOT bulk) AS normal_key, max(key) FILTER (WHERE bulk) AS bulk_key,
                sum(length(data) + 200) AS bytes
            FROM unnest(keys, row_connections, row_bulk, row_data) AS given (key, connection, bulk, data)
            WHERE key <> 0 GROUP BY connection
        ) AS new
        WHERE appended.connection = new.connection;
    RETURN keys;
END $$;

-- Drops dead letters; their outcomes are replaced. Returns the ids that were there, and the sequences of the new ones.
CREATE FUNCTION discard_1(
    the_incarnation text, the_session bigint, ids bigint[], row_ends float8, row_data bytea[], the_type integer
) RETURNS TABLE (place integer, sequence bigint) LANGUAGE plpgsql AS $$
DECLARE
    letters dead_letters[];
    first bigint;
BEGIN
    PERFORM fence_1(the_incarnation, 'append', the_session);
    PERFORM 1 FROM settled WHERE connection IN (SELECT connection FROM dead_letters WHERE id = ANY (ids))
        ORDER BY connection FOR UPDATE;
    WITH deleted AS (DELETE FROM dead_letters WHERE id = ANY (ids) RETURNING *)
        SELECT coalesce(array_agg(ROW (deleted.*)::dead_letters ORDER BY array_position(ids, id)), '{}')
        INTO letters FROM deleted;
    IF cardinality(letters) = 0 THEN
        RETURN;
    END IF;
    UPDATE settled SET dead_letters = settled.dead_letters - d.count, bytes = settled.bytes + d.size
        FROM (
            SELECT connection, count(*) AS count, sum(length(data) + 200) AS size
            FROM unnest(letters) GROUP BY connection) AS d
        WHERE settled.connection = d.connection;
    DELETE FROM journal WHERE journal.sequence = ANY (ids);
    first := journal_1(
        ARRAY(SELECT connection FROM unnest(letters)), ARRAY(SELECT envelope_id FROM unnest(letters)),
        ARRAY(SELECT customer_id FROM unnest(letters)), ARRAY(SELECT email FROM unnest(letters)),
        ARRAY(SELECT the_type FROM unnest(letters)), ARRAY(SELECT row_ends FROM unnest(letters)),
        ARRAY(SELECT row_data[array_position(ids, id)] FROM unnest(letters)));
    RETURN QUERY SELECT array_position(ids, id), first + number
        FROM unnest(letters) WITH ORDINALITY
            AS l (id, connection, bulk, origin, envelope_id, customer_id, email, reason, accept_time, data, number);
END $$;

-- Claims a lease whose row is still the one that was seen.
CREATE FUNCTION claim_1(
    the_workspace text, seen_incarnation text, seen_epoch bigint, seen_renewal bigint,
    the_incarnation text, the_daemon text, now float8, the_reason text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leases SET incarnation = the_incarnation, epoch = epoch + 1, renewal = 0, daemon_id = the_daemon,
            previous = daemon_id, since = now, reason = the_reason, timeline = timeline_1(), offered = false, successor = ''
        WHERE workspace = the_workspace AND incarnation = seen_incarnation AND epoch = seen_epoch
            AND renewal = seen_renewal;
    RETURN FOUND;
END $$;

CREATE FUNCTION timeline_1() RETURNS bigint LANGUAGE sql AS $$
    SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
$$;

-- Renews a lease, which its owner offers or not; returns the process that asks for it, NULL if the lease is lost.
CREATE FUNCTION renew_1(
    the_workspace text, the_incarnation text, the_epoch bigint, the_offered boolean, refused_successor text
) RETURNS text LANGUAGE sql AS $$
    UPDATE leases SET renewal = renewal + 1, timeline = timeline_1(), offered = the_offered,
            successor = CASE WHEN successor = refused_successor THEN '' ELSE successor END
        WHERE workspace = the_workspace AND incarnation = the_incarnation AND epoch = the_epoch
        RETURNING successor
$$;

-- Asks the owner of a lease for it; refused if another process has asked before.
CREATE FUNCTION ask_1(the_workspace text, owner_incarnation text, owner_epoch bigint, the_incarnation text)
    RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leases SET successor = the_incarnation
        WHERE workspace = the_workspace AND incarnation = owner_incarnation AND epoch = owner_epoch AND successor = '';
    RETURN FOUND;
END $$;

CREATE FUNCTION release_1(the_workspace text, the_incarnation text, the_epoch bigint, the_reason text)
    RETURNS void LANGUAGE sql AS $$
    UPDATE leases SET incarnation = '', renewal = renewal + 1, timeline = timeline_1(), reason = the_reason, offered = false
        WHERE workspace = the_workspace AND incarnation = the_incarnation AND epoch = the_epoch
$$;

-- Shows other processes that this one is alive, and what it is. Deletes those that failed more than an hour ago.
CREATE FUNCTION heartbeat_1(
    the_incarnation text, the_daemon text, now float8, the_connections text[], the_workspaces text[], the_version text,
    the_digests text
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO members AS m (incarnation, daemon_id, since, seen, connections, workspaces, version, digests)
        VALUES (the_incarnation, the_daemon, now, now, the_connections, the_workspaces, the_version, the_digests)
        ON CONFLICT (incarnation) DO UPDATE SET heartbeats = m.heartbeats + 1, seen = now,
            connections = the_connections, workspaces = the_workspaces, version = the_version, digests = the_digests;
    DELETE FROM members WHERE incarnation IN (
        SELECT incarnation FROM members WHERE seen < now - 3600 FOR UPDATE SKIP LOCKED);
$$;

CREATE FUNCTION leave_1(the_incarnation text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM members WHERE incarnation = the_incarnation
$$;

CREATE FUNCTION report_1(
    the_incarnation text, the_workspace text, the_epoch bigint, the_connections integer[], the_data bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM lease_1(the_workspace, the_incarnation, the_epoch);
    INSERT INTO reports (connection, incarnation, data)
        SELECT connection, the_incarnation, data FROM unnest(the_connections, the_data) AS given (connection, data)
        ON CONFLICT (connection) DO UPDATE SET incarnation = excluded.incarnation, data = excluded.data;
END $$;

-- Gives an order; returns its number, 0 if as many as `waiting_max` wait. A pause is in effect for each later holder of
-- the lease by the row of the connection. Orders are rare enough to notify in their own transaction.
CREATE FUNCTION order_1(
    the_workspace text, the_connection integer, the_kind text, the_key bigint, the_id bytea, waiting_max integer,
    kept interval
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    DELETE FROM orders WHERE given < clock_timestamp() - kept;
    IF (SELECT count(*) FROM orders WHERE NOT answered) >= waiting_max THEN
        RETURN 0;
    END IF;
    UPDATE connections SET paused = (the_kind = 'pause')
        WHERE number = the_connection AND the_kind IN ('pause', 'resume');
    INSERT INTO orders (workspace, connection, kind, key, envelope_id, sequence)
        SELECT the_workspace, the_connection, the_kind, the_key, the_id, sequence FROM journal_counter
        RETURNING number INTO made;
    PERFORM pg_notify('intercomd_orders', '');
    RETURN made;
END $$;

CREATE FUNCTION answer_1(
    the_incarnation text, the_workspace text, the_epoch bigint, the_number bigint, the_result bigint, the_error text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lease_1(the_workspace, the_incarnation, the_epoch);
    UPDATE orders SET answered = true, result = the_result, error = the_error
        WHERE number = the_number AND NOT answered;
    PERFORM pg_notify('intercomd_orders', '');
END $$;

-- Starts a new generation of the duplicate window, once the outgoing one is empty. Appends hold the lock shared, so it
-- waits for those in progress; `lock_timeout` bounds how long later ones wait behind it.
CREATE FUNCTION rotate_recent_1(seen bigint, now float8) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '50ms', true);
    PERFORM pg_advisory_xact_lock(hashtext('intercomd generation'));
    UPDATE generations SET generation = seen + 1, turned_at = now, elapsed = 0, carried_connection = 0, carried_id = '',
            carried = false, emptied = false, appended = (SELECT sum(a.normal + a.bulk) FROM appended AS a)
        WHERE generation = seen AND emptied;
    RETURN FOUND;
END $$;

-- Carries the next ids of the outgoing generation over, those whose envelope still waits; true once it was the last
-- step. False also while another daemon is at it: one at a time takes the next step, and any may.
CREATE FUNCTION carry_recent_1(ids_max integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    state generations;
    page_connections integer[];
    page_ids bytea[];
    page_keys bigint[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('intercomd carrying')) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtext('intercomd generation'));
    SELECT * INTO state FROM generations;
    IF state.carried THEN
        RETURN true;
    END IF;
    EXECUTE format('SELECT array_agg(connection), array_agg(envelope_id), array_agg(key) FROM ('
            'SELECT connection, envelope_id, key FROM recent_%s WHERE (connection, envelope_id) > ($1, $2)'
            ' ORDER BY connection, envelope_id LIMIT $3) AS page', (state.generation + 1) % 3)
        INTO page_connections, page_ids, page_keys USING state.carried_connection, state.carried_id, ids_max;
    INSERT INTO recent (slot, connection, envelope_id, key)
        SELECT state.generation % 3, connection, id, key
        FROM unnest(page_connections, page_ids, page_keys) AS page (connection, id, key)
        WHERE EXISTS (SELECT FROM log WHERE log.key = page.key)
            OR EXISTS (SELECT FROM parked WHERE parked.key = page.key)
        ON CONFLICT DO NOTHING;
    state.carried := coalesce(cardinality(page_ids), 0) < ids_max;
    UPDATE generations SET carried = state.carried,
        carried_connection = coalesce(page_connections[cardinality(page_ids)], carried_connection),
        carried_id = coalesce(page_ids[cardinality(page_ids)], carried_id);
    RETURN state.carried;
END $$;

-- Empties the outgoing generation after the last step. The truncation waits for appends, which read all generations;
-- `lock_timeout` bounds how long later ones wait behind it.
CREATE FUNCTION empty_recent_1() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    outgoing bigint;
BEGIN
    PERFORM set_config('lock_timeout', '50ms', true);
    IF NOT pg_try_advisory_xact_lock(hashtext('intercomd carrying')) THEN
        RETURN false;
    END IF;
    SELECT (generation + 1) % 3 INTO outgoing FROM generations WHERE carried AND NOT emptied;
    IF FOUND THEN
        EXECUTE format('TRUNCATE recent_%s', outgoing);
        UPDATE generations SET emptied = true;
    END IF;
    RETURN (SELECT emptied FROM generations);
END $$;

-- Starts a new partition of the journal, and empties the oldest.
CREATE FUNCTION rotate_journal_1(seen integer, now float8) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '50ms', true);
    PERFORM 1 FROM journal_counter WHERE slot = seen FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('TRUNCATE journal_%s', (seen + 1) % 4);
    UPDATE journal_counter SET slot = (seen + 1) % 4, slot_first = sequence + 1, slot_since = now;
    RETURN true;
END $$;
