//! What the chain covers: which tables, how a row of each reads as text, and when it is touched.
//!
//! The text of a history kind never changes, or old links could not be checked any more: what a table gains later
//! becomes a kind of its own. A table that is added is covered here, or README.md says why it is not.

/// Something the chain covers.
#[derive(Debug)]
pub struct Kind {
    /// Its name in `covers`.
    pub name: &'static str,
    /// Append-only rows are hashed as they are; of everything else each new state is remembered by its code.
    pub is_history: bool,
    /// Table of its rows.
    pub table: &'static str,
    /// Key columns: id and running number.
    pub key: (&'static str, &'static str),
    /// Expression for the text of a row `t`.
    pub text: &'static str,
    /// When a row of it is touched, with the id and running number of the row.
    pub touched: &'static [(&'static str, &'static str, &'static str)],
}

/// Everything the chain covers. What it leaves out, and why, stands in README.md.
pub const KINDS: [Kind; 29] = [
    Kind {
        name: "event",
        is_history: true,
        table: "event",
        key: ("entry", "seq"),
        text: "json_array(t.entry, t.seq, t.event, t.state, t.at)",
        touched: &[("INSERT ON event", "NEW.entry", "NEW.seq")],
    },
    Kind {
        name: "attempt",
        is_history: true,
        table: "attempt",
        key: ("id", "0"),
        text: "json_array(t.id, t.entry, t.lease, hex(t.request_hash), t.begun_at)",
        touched: &[("INSERT ON attempt", "NEW.id", "0")],
    },
    Kind {
        name: "attempt_end",
        is_history: true,
        table: "attempt_end",
        key: ("attempt", "0"),
        text: "json_array(t.attempt, t.outcome, t.status, t.request_id, t.class, t.excerpt, t.rules, t.duration_ms,
            hex(t.issues_sealed), t.ended_at)",
        touched: &[("INSERT ON attempt_end", "NEW.attempt", "0")],
    },
    Kind {
        name: "decision",
        is_history: true,
        table: "decision",
        key: ("id", "0"),
        text: "json_array(t.id, t.entry, t.event, hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON decision", "NEW.id", "0")],
    },
    Kind {
        name: "plan",
        is_history: true,
        table: "mapping_plan",
        key: ("id", "0"),
        text: "json_array(t.id, t.new_version, t.made_at, t.added, t.changed, t.left_out, t.refused)",
        touched: &[("INSERT ON mapping_plan", "NEW.id", "0")],
    },
    Kind {
        name: "plan_visit",
        is_history: true,
        table: "mapping_plan_visit",
        key: ("plan", "visit"),
        text: "json_array(t.plan, t.visit, t.old_version)",
        touched: &[("INSERT ON mapping_plan_visit", "NEW.plan", "NEW.visit")],
    },
    Kind {
        name: "plan_approval",
        is_history: true,
        table: "mapping_plan_approval",
        key: ("plan", "0"),
        text: "json_array(t.plan, t.command, hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON mapping_plan_approval", "NEW.plan", "0")],
    },
    Kind {
        name: "restoration",
        is_history: true,
        table: "restoration",
        key: ("id", "0"),
        text: "json_array(t.id, t.at, t.last_day, t.reason)",
        touched: &[("INSERT ON restoration", "NEW.id", "0")],
    },
    Kind {
        name: "registration_event",
        is_history: true,
        table: "registration_event",
        key: ("registration", "seq"),
        text: "json_array(t.registration, t.seq, t.event, t.state, hex(t.request_hash), t.status, t.request_id, t.class,
            t.excerpt, t.rules, t.at)",
        touched: &[("INSERT ON registration_event", "NEW.registration", "NEW.seq")],
    },
    Kind {
        name: "event_complaint",
        is_history: true,
        table: "event_complaint",
        key: ("entry", "seq"),
        text: "json_array(t.entry, t.seq, hex(t.sealed))",
        touched: &[("INSERT ON event_complaint", "NEW.entry", "NEW.seq")],
    },
    Kind {
        name: "removal_decision",
        is_history: true,
        table: "removal_decision",
        key: ("id", "0"),
        text: "json_array(t.id, t.removal, t.command, t.confirmed, hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON removal_decision", "NEW.id", "0")],
    },
    Kind {
        name: "lane_release",
        is_history: true,
        table: "lane_release",
        key: ("rowid", "0"),
        text: "json_array(t.command, t.lane, t.entries, hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON lane_release", "NEW.rowid", "0")],
    },
    Kind {
        name: "discrepancy_event",
        is_history: true,
        table: "discrepancy_event",
        key: ("discrepancy", "seq"),
        text: "json_array(t.discrepancy, t.seq, t.state, t.evidence, t.command, hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON discrepancy_event", "NEW.discrepancy", "NEW.seq")],
    },
    Kind {
        name: "discrepancy",
        is_history: false,
        table: "discrepancy",
        key: ("id", "0"),
        // When it was seen last is told by no event, and moves with every look.
        text: "json_array(t.class, t.thing, t.visit, t.puskesmas, t.posyandu, t.service_date, t.cause, t.owner,
            t.evidence, t.state, t.seq, t.first_seen_at, t.changed_at)",
        touched: &[("INSERT ON discrepancy", "NEW.id", "0"), ("UPDATE ON discrepancy", "NEW.id", "0")],
    },
    Kind {
        name: "statement",
        is_history: true,
        table: "statement",
        key: ("id", "0"),
        text: "json_array(t.id, t.puskesmas, t.number, t.service_date, t.kind, t.made_at, t.content,
            hex(t.content_hash), hex(t.previous), hex(t.code))",
        touched: &[("INSERT ON statement", "NEW.id", "0")],
    },
    Kind {
        name: "audit",
        is_history: true,
        table: "audit",
        key: ("id", "0"),
        text: "json_array(t.id, t.at, t.account, t.role, t.action, t.subject, t.command, hex(t.reason_sealed))",
        touched: &[("INSERT ON audit", "NEW.id", "0")],
    },
    Kind {
        name: "decision_command",
        is_history: true,
        table: "decision_command",
        key: ("rowid", "0"),
        text: "json_array(t.command, t.entry, t.event, t.state, t.at)",
        touched: &[("INSERT ON decision_command", "NEW.rowid", "0")],
    },
    Kind {
        name: "person_decision",
        is_history: true,
        table: "person_decision",
        key: ("id", "0"),
        text: "json_array(t.id, t.question, hex(t.key), t.command, t.verdict, hex(t.identity), hex(t.nik),
            hex(t.reason_sealed), t.at)",
        touched: &[("INSERT ON person_decision", "NEW.id", "0")],
    },
    Kind {
        name: "registration",
        is_history: false,
        table: "registration",
        key: ("id", "0"),
        text: "json_array(t.lane, t.kind, hex(t.key), t.state, t.seq, hex(t.request_hash), t.creates, t.probes,
            t.lease_until, t.due_at, t.state_since, t.waits_for, t.server_id, hex(t.issues_sealed))",
        touched: &[("INSERT ON registration", "NEW.id", "0"), ("UPDATE ON registration", "NEW.id", "0")],
    },
    Kind {
        name: "account",
        is_history: false,
        table: "account",
        key: ("id", "0"),
        text: "json_array(t.name, t.role, t.puskesmas, t.posyandu, t.password, hex(t.code), t.code_until, t.disabled_at,
            t.made_at)",
        touched: &[("INSERT ON account", "NEW.id", "0"), ("UPDATE ON account", "NEW.id", "0")],
    },
    Kind {
        name: "removal",
        is_history: false,
        table: "removal",
        key: ("id", "0"),
        text: "json_array(t.visit, t.resource_type, t.identifier_system, t.identifier_value, t.server_id, t.whole_visit,
            t.state, t.due_at, t.proposed_at, t.settled_at, t.words)",
        touched: &[("INSERT ON removal", "NEW.id", "0"), ("UPDATE ON removal", "NEW.id", "0")],
    },
    Kind {
        name: "entry",
        is_history: false,
        table: "entry",
        key: ("id", "0"),
        text: "json_array(t.visit, t.version, t.predecessor, t.lane, t.day_ends_at, hex(t.content_hash),
            t.mapping_version, t.mapping_refused, t.created_at, t.look_first,
            (SELECT group_concat(json_array(r.position, r.resource_type, r.identifier_system, r.identifier_value,
                r.full_url, hex(r.content_hash)), char(10) ORDER BY r.position)
                FROM entry_resource AS r WHERE r.entry = t.id),
            (SELECT group_concat(json_array(i.id, i.severity, i.rule, hex(i.sealed)), char(10) ORDER BY i.id)
                FROM issue AS i WHERE i.entry = t.id AND i.entry IS NOT NULL))",
        touched: &[
            ("INSERT ON entry", "NEW.id", "0"),
            (
                "UPDATE OF visit, version, predecessor, lane, day_ends_at, content_hash, mapping_version,
                    mapping_refused, created_at, look_first ON entry",
                "NEW.id",
                "0",
            ),
            ("INSERT ON issue WHEN NEW.entry IS NOT NULL", "NEW.entry", "0"),
            (
                "UPDATE OF resource_type, identifier_system, identifier_value, full_url, content_hash ON entry_resource",
                "NEW.entry",
                "0",
            ),
        ],
    },
    Kind {
        name: "server",
        is_history: false,
        table: "entry",
        key: ("id", "0"),
        text: "coalesce((SELECT group_concat(json_array(r.position, r.server_id, r.server_version, hex(r.server_hash),
                r.server_mapping, r.verified, r.verified_at), char(10) ORDER BY r.position)
                FROM entry_resource AS r WHERE r.entry = t.id), '')",
        touched: &[
            ("INSERT ON entry", "NEW.id", "0"),
            (
                "UPDATE OF server_id, server_version, server_hash, server_mapping, verified, verified_at
                    ON entry_resource",
                "NEW.entry",
                "0",
            ),
        ],
    },
    Kind {
        name: "visit",
        is_history: false,
        table: "visit",
        key: ("id", "0"),
        text: "json_array(hex(t.key), t.puskesmas, t.posyandu, t.service_date, t.zone, t.day_ends_at, t.due_at,
            t.revision, t.entered_revision, t.emptied)",
        touched: &[("INSERT ON visit", "NEW.id", "0"), ("UPDATE ON visit", "NEW.id", "0")],
    },
    Kind {
        name: "series",
        is_history: false,
        table: "series",
        key: ("visit", "0"),
        text: "json_array(hex(t.key), t.day, hex(t.content))",
        touched: &[("INSERT ON series", "NEW.visit", "0"), ("UPDATE ON series", "NEW.visit", "0")],
    },
    Kind {
        name: "row",
        is_history: false,
        table: "source_row",
        key: ("id", "0"),
        text: "json_array(t.source, t.file, hex(t.row_key), t.occurrence, hex(t.digest), hex(t.place_sealed),
            hex(t.place_mark), t.kind, t.standing, t.replaced, t.reason, t.visit, t.puskesmas, t.posyandu,
            t.counted_date, t.stamp, t.first_pass,
            (SELECT group_concat(json_array(r.id, r.visit, r.dataset, hex(r.record_key), hex(r.content_hash),
                hex(r.sealed), r.current, hex(r.series_content)), char(10) ORDER BY r.id) FROM record AS r WHERE r.source_row = t.id),
            (SELECT group_concat(json_array(i.id, i.severity, i.rule, hex(i.sealed)), char(10) ORDER BY i.id)
                FROM issue AS i WHERE i.source_row = t.id AND i.source_row IS NOT NULL))",
        touched: &[
            ("INSERT ON source_row", "NEW.id", "0"),
            // A reading that finds a row as it was only moves `last_pass`.
            ("UPDATE OF file ON source_row WHEN OLD.file <> NEW.file", "NEW.id", "0"),
            (
                "UPDATE OF digest, place_sealed, place_mark, kind, standing, replaced, reason, visit, puskesmas,
                    posyandu, counted_date, stamp ON source_row",
                "NEW.id",
                "0",
            ),
            ("INSERT ON record", "NEW.source_row", "0"),
            ("UPDATE ON record", "NEW.source_row", "0"),
            ("DELETE ON record", "OLD.source_row", "0"),
            ("INSERT ON issue WHEN NEW.source_row IS NOT NULL", "NEW.source_row", "0"),
            ("DELETE ON issue WHEN OLD.source_row IS NOT NULL", "OLD.source_row", "0"),
        ],
    },
    Kind {
        name: "pass",
        is_history: false,
        table: "pass",
        key: ("id", "0"),
        text: "json_array(t.source, t.file, t.day, t.started_at, t.finished_at, t.complete, t.read, t.new, t.changed,
            t.unchanged, t.issue, t.skipped, t.superseded, t.windowed)",
        touched: &[("INSERT ON pass", "NEW.id", "0"), ("UPDATE ON pass", "NEW.id", "0")],
    },
    Kind {
        name: "person",
        is_history: false,
        table: "person",
        key: ("id", "0"),
        text: "json_array(hex(t.identity), hex(t.sealed), (SELECT group_concat(a.kind || hex(a.key), char(10)
            ORDER BY a.kind, a.key) FROM person_alias AS a WHERE a.person = t.id))",
        touched: &[
            ("INSERT ON person", "NEW.id", "0"),
            ("UPDATE ON person", "NEW.id", "0"),
            ("INSERT ON person_alias", "NEW.person", "0"),
            ("DELETE ON person_alias", "OLD.person", "0"),
        ],
    },
    Kind {
        name: "taken",
        is_history: false,
        table: "taken_file",
        key: ("id", "0"),
        text: "json_array(t.source, hex(t.name_hash), hex(t.content_hash), hex(t.name_sealed), hex(t.stamp), t.seq,
            t.bytes, t.taken_at, t.version, t.day, t.outcome, hex(t.issue_sealed), t.lines, t.records, t.issue,
            t.skipped, t.accepted_at)",
        touched: &[("INSERT ON taken_file", "NEW.id", "0"), ("UPDATE ON taken_file", "NEW.id", "0")],
    },
];

impl Kind {
    /// The kind of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The condition that joins a row `t` to a key `j` of a list.
    pub fn on(&self) -> String {
        let (id, seq) = self.key;
        match seq {
            "0" => format!("t.{id} = j.value->>0"),
            seq => format!("t.{id} = j.value->>0 AND t.{seq} = j.value->>1"),
        }
    }
}
