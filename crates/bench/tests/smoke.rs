fn main() -> anyhow::Result<()> {
    use clap::Parser;
    #[derive(Parser)]
    struct C { #[command(flatten)] options: vmmc_bench::Options }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(vmmc_bench::WORKER) => vmmc_bench::worker(&args[1..]),
        Some("bench") => vmmc_bench::run(C::parse_from(&args).options),
        Some(_) => { anyhow::bail!("libvmmc.so was not found") }
        None => Ok(()),
    }
}
