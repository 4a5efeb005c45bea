//! Prints `docs/compatibility.md`.

fn main() {
    print!("{}", vmmc_calls::compatibility());
}
