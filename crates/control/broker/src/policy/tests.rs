use super::*;

const ALICE: u32 = 1000;
const BOB: u32 = 1001;
const SERVICE: u32 = 70;

fn end(user: Option<u32>, port: u16) -> Party {
    Party { pid: 0, user, address: IpAddr::from([127, 0, 0, 1]), port }
}

/// Whether the policy allows the pair, seen from either end.
fn allows(text: &str, one: Party, other: Party) -> bool {
    let policy = Policy::parse(text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let both = [policy.allows([&one, &other]), policy.allows([&other, &one])];
    assert_eq!(both[0], both[1], "{text}");
    both[0]
}

#[test]
fn without_rules_one_user_may_everything_and_two_may_nothing() {
    for text in ["", "[[deny]]\nserver = { ports = [22] }"] {
        assert!(allows(text, end(Some(ALICE), 80), end(Some(ALICE), 4000)), "{text}");
        assert!(!allows(text, end(Some(ALICE), 80), end(Some(BOB), 4000)), "{text}");
        assert!(!allows(text, end(None, 80), end(None, 4000)), "two of whom nothing is known may be two: {text}");
    }
    assert!(!allows("[[deny]]\nserver = { ports = [22] }", end(Some(ALICE), 4000), end(Some(ALICE), 22)));
}

#[test]
fn an_end_cannot_choose_what_the_other_must_have() {
    let text = "[[allow]]\nserver = { users = [70], ports = [5432, \"6000-6010\"] }\nclient = { users = [1000] }";
    assert!(allows(text, end(Some(SERVICE), 5432), end(Some(ALICE), 4000)));
    assert!(allows(text, end(Some(SERVICE), 6010), end(Some(ALICE), 4000)));
    assert!(!allows(text, end(Some(SERVICE), 8080), end(Some(ALICE), 5432)), "the client's own port is of no use");
    assert!(!allows(text, end(Some(SERVICE), 5432), end(Some(BOB), 4000)));
    assert!(
        !allows(text, end(Some(ALICE), 5432), end(Some(ALICE), 4000)),
        "a list of rules replaces what goes without"
    );
}

#[test]
fn who_is_unknown_is_anybody_and_nobody() {
    let any = "[[allow]]\nserver = { users = [70] }\nclient = { users = \"any\" }";
    assert!(allows(any, end(Some(SERVICE), 80), end(None, 4000)));
    assert!(!allows(any, end(None, 80), end(None, 4000)));
    let denied = format!("{any}\n[[deny]]\nclient = {{ users = [1001] }}");
    assert!(allows(&denied, end(Some(SERVICE), 80), end(Some(ALICE), 4000)));
    assert!(!allows(&denied, end(Some(SERVICE), 80), end(Some(BOB), 4000)));
    assert!(!allows(&denied, end(Some(SERVICE), 80), end(None, 4000)), "it may be the one who is denied");
}

#[test]
fn programs_are_those_that_run_and_doubt_never_helps() {
    let own = Party { pid: std::process::id(), ..end(Some(ALICE), 80) };
    let program = std::env::current_exe().unwrap();
    let with = |kind: &str, program: &str| format!("[[{kind}]]\nserver = {{ programs = [\"{program}\"] }}");
    let (this, unseen) = (program.to_str().unwrap(), end(Some(ALICE), 80));
    assert!(allows(&with("allow", this), own, end(Some(ALICE), 4000)));
    assert!(!allows(&with("allow", "/bin/true"), own, end(Some(ALICE), 4000)));
    assert!(!allows(&with("allow", this), unseen, unseen));
    assert!(!allows(&with("deny", this), own, own));
    assert!(allows(&with("deny", "/bin/true"), own, own));
    assert!(!allows(&with("deny", "/bin/true"), own, unseen));
}

#[test]
fn networks_hold_the_addresses_with_their_first_bits() {
    let rule = |network: &str| format!("[[allow]]\nserver = {{ addresses = [\"{network}\"] }}\nclient = {{}}");
    let at = |address: &str| Party { address: address.parse().unwrap(), ..end(Some(ALICE), 80) };
    for (network, inside, outside) in [
        ("127.0.0.0/8", "127.9.9.9", "128.0.0.0"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
        ("0.0.0.0/0", "1.2.3.4", "::1"),
        ("::/0", "fe80::1", "1.2.3.4"),
        ("fd00::/9", "fd7f::1", "fd80::1"),
    ] {
        assert!(allows(&rule(network), at(inside), at(inside)), "{network} {inside}");
        assert!(!allows(&rule(network), at(outside), at(outside)), "{network} {outside}");
    }
}

#[test]
fn a_mistake_is_told_in_one_line_with_its_number() {
    for (text, line, said) in [
        ("allow = 1", 1, "invalid type"),
        ("\n[[alow]]\n", 2, "unknown field `alow`"),
        ("[[allow]]\nserver = { port = [1] }", 2, "unknown field `port`"),
        ("[[allow]]\n\nserver = { ports = [70000] }", 3, "70000 is neither a port nor"),
        ("[[allow]]\nserver = { ports = [\"9-8\"] }", 2, "9-8 is neither a port nor"),
        ("[[allow]]\nserver = { users = \"same\" }", 2, "users are \"any\" or a list"),
        ("[[allow]]\nserver = { users = [\"no such user\"] }", 2, "there is no user \"no such user\""),
        ("[[allow]]\nserver = { users = [-1] }", 2, "-1 is no user's number"),
        ("[[deny]]\nclient = { programs = [\"nginx\"] }", 2, "absolute path"),
        ("[[deny]]\nclient = { addresses = [\"10.0.0.0/33\"] }", 2, "is neither an address nor a network"),
        ("[[allow]\n", 1, ""),
    ] {
        let why = Policy::parse(text).expect_err(text);
        assert!(why.starts_with(&format!("{line}: ")) && why.contains(said) && !why.contains('\n'), "{text}: {why}");
    }
}

#[test]
fn names_are_users_of_this_system() {
    let text = "[[allow]]\nserver = { users = [\"root\"] }\nclient = { users = [1000] }";
    assert!(allows(text, end(Some(0), 80), end(Some(ALICE), 4000)));
}
