//! What a server refuses, and what is never done to it: each with a sentence for people, none with a password.

use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::{self, Location};
use posyandu_gateway::words::{self, Language};

use super::{built_in, read, table, tables};
use crate::servers::{self, PASSWORD, READER, located};

async fn refused(location: &Location, rule: &str) -> SourceError {
    let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
    let error = read(&profile, location).await.unwrap_err();
    told(&error, location, rule);
    error
}

/// The sentences are complete, and no text of the problem holds a password.
fn told(error: &SourceError, location: &Location, rule: &str) {
    let issue = error.issue(location);
    assert_eq!(&*issue.rule, rule, "{error:?}");
    let sentences = [Language::Indonesian, Language::English].map(|language| words::of_issue(language, &issue));
    for text in sentences.into_iter().chain([error.to_string(), format!("{error:?} {location:?}")]) {
        assert!(!text.contains(PASSWORD) && !text.contains("salah-benar") && !text.contains("{berkas}"), "{text}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_does_not_let_in_is_told_apart_from_one_that_is_away() {
    for server in [servers::postgres(), servers::mariadb()] {
        let database = server.database("CREATE TABLE t(id int PRIMARY KEY, nama int)").await;
        refused(&located(&database.url(), "salah-benar"), "database.login").await;
        refused(&located(&database.url().replace(&database.name, "tidak_ada"), PASSWORD), "database.login").await;
        let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        refused(&database.location_at(away), "database.unreachable").await;
        let inside = database.url().replace(READER, &format!("{READER}:salah-benar"));
        refused(&located(&inside, PASSWORD), "database.address").await;
        let encrypted = if server.is_postgres() { "sslmode=require" } else { "ssl-mode=REQUIRED" };
        refused(&located(&format!("{}?{encrypted}", database.url()), PASSWORD), "database.unreachable").await;
    }
    let error = refused(&located("oracle://baca@db/posyandu", PASSWORD), "database.address").await;
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("postgres://") && source.contains("mysql://"), "{source}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_account_with_ed25519_is_refused_with_what_to_do() {
    let database = servers::mariadb().database("INSTALL SONAME 'auth_ed25519'").await;
    let name = format!("ed_{}", database.name);
    database.run(&format!("CREATE USER {name}@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')")).await;
    let location = located(&database.url().replace(READER, &name), PASSWORD);
    let error = refused(&location, "database.login").await;
    let sentence = words::of_issue(Language::Indonesian, &error.issue(&location));
    assert!(sentence.contains("ed25519"), "{sentence}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_locked_table_is_not_waited_for_for_long() {
    for server in [servers::postgres(), servers::mariadb()] {
        let database = server.database("CREATE TABLE t(id int PRIMARY KEY, nama int)").await;
        let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
        let mut rows = source::open(&profile, &database.location()).await.unwrap();
        let mut application = database.owner().await;
        application
            .run(if server.is_postgres() {
                "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE"
            } else {
                "LOCK TABLES t WRITE"
            })
            .await;
        let error = rows.next().await.map(|_| ()).unwrap_err();
        told(&error, &database.location(), "database.timeout");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_query_cannot_change_anything() {
    let postgres = servers::postgres()
        .database(
            "CREATE TABLE t(id int PRIMARY KEY, nama int); INSERT INTO t VALUES (1, 1);
             CREATE FUNCTION tulis() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (2, 2); RETURN 2; END $$;
             GRANT ALL ON t TO pembaca",
        )
        .await;
    let mariadb = servers::mariadb()
        .database(
            "CREATE TABLE t(id int PRIMARY KEY, nama int); INSERT INTO t VALUES (1, 1);
             CREATE FUNCTION tulis() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (2, 2); RETURN 2; END",
        )
        .await;
    mariadb.run(&format!("GRANT ALL ON {}.* TO {READER}@'%'", mariadb.name)).await;
    for database in [postgres, mariadb] {
        for query in [
            "SELECT id, tulis() AS nama FROM t",
            "SELECT 1 AS id, 2 AS nama) AS page; DELETE FROM t; SELECT page.* FROM (SELECT 1 AS id, 2 AS nama",
            "SELECT 1 AS id, 2 AS nama) AS page; COMMIT; DELETE FROM t; --",
        ] {
            let profile = tables(&[table("t", &["id"], query, &["nama"], "")]);
            let error = read(&profile, &database.location()).await.unwrap_err();
            told(&error, &database.location(), "file.query");
            assert_eq!(database.number("SELECT count(*) FROM t").await, 1, "{query}");
        }
        let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
        let mut rows = source::open(&profile, &database.location()).await.unwrap();
        assert_eq!(rows.may_write().await, Some(true));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_account_that_only_reads_is_recognised() {
    for server in [servers::postgres(), servers::mariadb()] {
        let database = server.database("CREATE TABLE t(id int PRIMARY KEY, nama int)").await;
        let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
        let mut rows = source::open(&profile, &database.location()).await.unwrap();
        assert_eq!(rows.may_write().await, Some(false), "{}", server.engine);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_table_or_column_that_went_missing_is_named() {
    let postgres = super::application::postgres().await;
    let laravel = super::application::laravel().await;
    for (database, profile, change, reason) in [
        (
            &postgres,
            "posyandu_postgres.yaml",
            "ALTER TABLE measurements RENAME COLUMN weight_kg TO weight",
            "weight_kg",
        ),
        (&postgres, "posyandu_postgres.yaml", "DROP TABLE measurements", "measurements"),
        (
            &laravel,
            "posyandu_laravel.yaml",
            "ALTER TABLE penimbangans RENAME COLUMN berat_badan TO berat",
            "berat_badan",
        ),
        (&laravel, "posyandu_laravel.yaml", "DROP TABLE penimbangans", "penimbangans"),
    ] {
        database.run(change).await;
        let error = read(&built_in(profile), &database.location()).await.unwrap_err();
        told(&error, &database.location(), "file.query");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let gone = tables(&[table("t", &["kunci"], "SELECT 1 AS id, 2 AS nama", &["nama"], "")]);
    let error = read(&gone, &laravel.location()).await.unwrap_err();
    told(&error, &laravel.location(), "file.columns_missing");
}
