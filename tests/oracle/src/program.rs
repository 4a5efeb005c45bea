//! A program of socket calls, as text and as steps. docs/oracle.md has the language.

use std::fmt;

use anyhow::{Context as _, Result, ensure};

/// One step: an actor does one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `A` to `H`: a thread of some process.
    pub actor: char,
    /// The next step begins while this one goes on.
    pub background: bool,
    /// The verb, and what it is about.
    pub words: Vec<String>,
}

/// What stands above the steps: how both runs are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The first two actors are programs of their own, and not forks of one.
    pub separate: bool,
    /// Options of `vmmc run`.
    pub run: Vec<String>,
}

/// A program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// How it is run.
    pub settings: Settings,
    /// What it does, in this order.
    pub steps: Vec<Step>,
}

impl Program {
    /// Reads a program. `#` begins a comment.
    ///
    /// # Errors
    ///
    /// If a line is neither a setting nor a step.
    pub fn parse(text: &str) -> Result<Self> {
        let mut program = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["option", "separate"] => program.settings.separate = true,
                ["option", "run", ref options @ ..] => {
                    program.settings.run = options.iter().map(ToString::to_string).collect();
                }
                _ => program.steps.push(Step::parse(&words).with_context(|| format!("no step: {line}"))?),
            }
        }
        Ok(program)
    }
}

impl Step {
    fn parse(words: &[&str]) -> Result<Self> {
        let (who, words) = words.split_first().context("an empty line")?;
        let actor = who.chars().next().context("an empty word")?;
        ensure!(('A'..='H').contains(&actor) && !words.is_empty(), "an actor from A to H, and a verb");
        Ok(Self { actor, background: who.ends_with('&'), words: words.iter().map(ToString::to_string).collect() })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{} {}", self.actor, if self.background { "&" } else { "" }, self.words.join(" "))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.settings.separate {
            writeln!(out, "option separate")?;
        }
        if !self.settings.run.is_empty() {
            writeln!(out, "option run {}", self.settings.run.join(" "))?;
        }
        self.steps.iter().try_for_each(|step| writeln!(out, "{step}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let text = "option separate\noption run --spin off\nA listen s0 p0 v4\nB& recv s3 100b 1x PEEK|WAITALL\n";
        let program = Program::parse(text).unwrap();
        assert_eq!(program.to_string(), text);
        assert!(program.steps[1].background && program.steps[1].words[2] == "100b");
        assert!(Program::parse("Z nothing").is_err());
    }
}
