//! A ledger that was filled at one SATUSEHAT is not used at another: what it calls delivered is not there.

use super::town::{CONFIG, Satusehat, Town};

#[test]
fn a_ledger_of_another_satusehat_is_refused_until_it_is_said_to_have_moved() {
    let server = Satusehat::start(&[]);
    let town = Town::ready(&server.address);
    assert_eq!(town.gateway(&["run", "--once"]).code, Some(1), "the sample has rows to mend");
    let sent = server.stats();
    // The same server under another name of this machine stands for another environment.
    let elsewhere = server.address.replace("127.0.0.1", "localhost");
    assert_ne!(elsewhere, server.address);
    let config = std::fs::read_to_string(town.path(CONFIG)).unwrap();
    std::fs::write(town.path(CONFIG), config.replace(&server.address, &elsewhere)).unwrap();
    for command in [&["run", "--once"][..], &["reconcile"]] {
        let refused = town.gateway(command);
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        for words in ["127.0.0.1", "localhost", "data_dir", "moved_from"] {
            assert!(refused.err.contains(words), "`{words}` is not in: {}", refused.err);
        }
    }
    assert_eq!(server.stats(), sent, "something was sent");

    town.edit(CONFIG, "[satusehat]\n", "[satusehat]\nmoved_from = \"127.0.0.1\"\n");
    assert_eq!(town.gateway(&["run", "--once"]).code, Some(1));
    // From now on it belongs there, also without the word.
    town.edit(CONFIG, "moved_from = \"127.0.0.1\"\n", "");
    assert_eq!(town.gateway(&["run", "--once"]).code, Some(1));
    assert_eq!(server.stats()["creates"], sent["creates"], "what moved was sent again");
}
