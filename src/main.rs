//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    posyandu_gateway::cli::main()
}
