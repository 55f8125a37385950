//! The conformance suite: what every engine must give, through the public API.

mod adapter;
mod again;
mod callbacks;
mod clients;
mod commands;
mod containers;
mod dropped;
mod dropped_calls;
mod endings;
mod executors;
mod faults;
mod files;
mod hostile_files;
mod hostile_guests;
mod hostile_specs;
mod images;
mod infos;
mod killing;
mod networks;
mod options;
mod pools;
mod presets;
mod processes;
mod reading;
mod session_ends;
mod session_options;
mod sessions;
mod sessions_turns;
mod shells;
mod small;
mod stream_ends;
mod stream_input;
mod stream_limits;
mod streams;
mod tap;
mod terminals;
mod transfers;
mod transfers_beside;
mod transfers_names;
mod truths;
mod walks;

use std::fmt::Debug;
use std::time::Duration;

use pocket_dock_core::{Container, ContainerSpec, Engine, Error, Op, Options, Runtime};

use crate::lab::{self, Peer};
use crate::recorded;

pub(crate) use adapter::on_two_threads;
pub use adapter::{Adapter, Blocking, Both, Call, Item};
pub use executors::{AsyncStd, BlockOn, Executor, Smol, Tokio, TokioThreads};

/// Why a case failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// How a case ends.
pub type Verdict = Result<(), Failure>;

/// Where a case is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// On every runtime, and from recordings.
    Everywhere,
    /// On every runtime. Several parts of it run at a time, so that the engine is never asked twice in the same order, and
    /// there is nothing to record.
    Live,
    /// On one runtime: it is about the engine or about other processes, which no recording has.
    Once,
}

/// One case of the suite.
#[derive(Debug)]
pub struct Case<A: Adapter> {
    /// Its name.
    pub name: &'static str,
    /// Where it is tried.
    pub tried: Tried,
    /// Runs it.
    pub run: fn(&Bench<A>) -> Verdict,
}

macro_rules! cases {
    (
        each: [$($each:ident :: $case:ident),* $(,)?],
        live: [$($live:ident :: $concurrent:ident),* $(,)?],
        once: [$($once:ident :: $single:ident),* $(,)?] $(,)?
    ) => {
        /// Every case.
        #[must_use]
        pub fn cases<A: Adapter>() -> Vec<Case<A>> {
            vec![
                $(Case { name: stringify!($case), tried: Tried::Everywhere, run: $each::$case },)*
                $(Case { name: stringify!($concurrent), tried: Tried::Live, run: $live::$concurrent },)*
                $(Case { name: stringify!($single), tried: Tried::Once, run: $once::$single },)*
            ]
        }
    };
}

cases! {
    each: [
        commands::two_hundred_commands,
        commands::exit_codes_and_signals,
        commands::stdout_and_stderr_are_apart_and_exact,
        commands::argv_is_untouched,
        commands::environment_directory_and_user,
        commands::python_runs,
        commands::code_of_any_size,
        commands::sixty_four_mebibytes_of_input,
        commands::a_flood_keeps_head_and_tail,
        commands::background_child_is_not_waited_for,
        commands::a_timeout_kills_the_tree,
        commands::a_timeout_keeps_the_output_so_far,
        commands::what_looks_like_a_mark_is_output,
        commands::bash_as_sh,
        commands::an_image_without_a_shell,
        containers::shutdown_leaves_nothing,
        containers::drop_leaves_nothing,
        containers::several_from_several_threads,
        containers::labels_and_name,
        containers::no_network_by_default,
        containers::the_main_process_is_waited_for,
        containers::a_restart_keeps_files_and_ends_processes,
        containers::a_stopped_one_starts_again,
        containers::orphans_are_swept,
        faults::missing_image,
        faults::name_in_use,
        faults::missing_network,
        faults::a_build_that_is_refused,
        faults::bad_memory_limit,
        faults::a_failed_start_leaves_nothing,
        faults::paused_stopped_and_removed,
        faults::what_cannot_be_started,
        dropped::a_dropped_create_leaves_no_container,
        dropped::a_dropped_run_leaves_no_process,
        dropped::a_dropped_shutdown_goes_on,
        dropped::a_dropped_question_changes_nothing,
        truths::a_user_that_is_not_in_the_image,
        truths::a_paused_one_goes_on_for_its_end,
        truths::a_paused_one_is_shut_down,
        truths::one_that_is_gone_is_not_waited_for,
        truths::a_build_that_fails_shows_its_log,
        killing::a_forged_end_harms_only_itself,
    ],
    // What runs beside calls.
    live: [
        streams::chunks_come_in_order,
        processes::a_process_is_read_while_it_runs,
        processes::a_buffer_keeps_channels_and_their_order,
        processes::several_wait_for_one_process,
        processes::a_buffer_keeps_the_newest,
        processes::what_is_written_is_read_or_lost,
        processes::output_is_gathered_though_nobody_looks,
        processes::input_of_a_process,
        processes::a_hundred_processes_at_once,
        processes::late_output_of_a_child_is_not_waited_for,
        processes::a_process_without_a_shell,
        endings::a_killed_process_leaves_nothing,
        endings::who_ignores_a_signal_is_told_of,
        endings::a_process_has_its_time,
        endings::a_dropped_process_is_killed,
        endings::what_is_left_running_lives_on,
        endings::a_removed_container_is_told_to_its_processes,
        endings::processes_end_before_their_container,
        endings::processes_end_before_a_restart,
        endings::processes_do_not_wait_for_the_grace,
        dropped::a_dropped_spawn_leaves_no_process,
        dropped::a_dropped_file_writer_leaves_nothing,
        dropped_calls::a_dropped_stop_or_start_leaves_it_whole,
        dropped_calls::a_dropped_call_about_processes_or_files,
        dropped_calls::a_dropped_look_or_reboot_leaves_it_whole,
        images::images_are_built_imported_and_loaded,
        clients::a_sleeping_reader_keeps_memory_flat,
        callbacks::callbacks_are_told_all,
        callbacks::callbacks_come_at_any_time,
        callbacks::callbacks_know_their_origin,
        callbacks::a_callback_that_panics_stops_nothing,
        callbacks::a_slow_callback_holds_up_no_other_container,
        callbacks::a_slow_callback_loses_nothing,
        callbacks::callbacks_are_told_of_a_containers_end,
        callbacks::a_callback_may_call_its_container,
        streams::ten_thousand_lines_on_both_streams,
        streams::ten_thousand_whole_lines,
        streams::lines_are_whole_across_frames,
        streams::a_character_split_over_frames_is_whole,
        streams::binary_output_is_exact,
        streams::the_result_comes_after_the_end,
        streams::the_result_needs_no_reader,
        streams::dropped_reads_lose_nothing,
        streams::it_is_what_the_language_iterates,
        streams::several_streams_of_one_container,
        stream_input::input_given_at_once,
        stream_input::input_written_while_it_runs,
        stream_input::the_end_of_the_input_alone,
        stream_input::eight_mebibytes_through_a_command,
        stream_input::a_writer_waits_for_the_command,
        stream_input::a_dropped_write_wrote_nothing,
        stream_input::a_command_ends_before_its_input,
        stream_limits::a_slow_reader_holds_the_command_up,
        stream_limits::a_stream_times_out,
        stream_limits::a_stream_with_a_limit,
        stream_limits::a_streams_background_child_is_not_waited_for,
        stream_limits::a_stream_that_cannot_begin,
        stream_limits::a_stream_without_a_shell,
        dropped::a_dropped_stream_call_leaves_no_process,
        stream_ends::a_dropped_stream_leaves_no_process,
        stream_ends::a_dropped_stream_that_is_held_up_leaves_no_process,
        stream_ends::a_stream_is_killed,
        stream_ends::a_stream_is_told_to_end,
        stream_ends::a_stream_is_killed_while_output_waits,
        stream_ends::a_shutdown_ends_a_stream_that_is_held_up,
        stream_ends::a_drop_ends_a_stream_that_is_held_up,
        stream_ends::a_stop_ends_a_stream_that_is_held_up,
        stream_ends::a_restart_ends_a_stream_that_is_held_up,
        stream_ends::a_kill_ends_a_stream_that_is_held_up,
        stream_ends::a_stream_of_a_container_that_is_removed,
        stream_ends::a_pause_loses_nothing,
        terminals::a_terminal_has_one_raw_stream,
        terminals::a_run_on_a_terminal,
        terminals::the_size_is_right_from_the_start,
        terminals::a_terminal_is_resized,
        terminals::sizes_that_cannot_be,
        terminals::input_on_a_terminal,
        terminals::an_interactive_shell,
        terminals::a_terminal_times_out,
        terminals::python_sees_a_terminal,
        terminals::a_terminal_without_a_shell,
        terminals::a_terminal_that_cannot_begin,
        killing::signals_are_obeyed_or_survived,
        killing::nothing_hides_by_half,
        killing::trees_of_any_user,
        killing::a_fork_bomb_ends_with_its_time,
        killing::a_tree_that_fills_its_container,
        killing::another_client_lists_and_kills,
        sessions::row_01_the_command_reads_stdin,
        sessions::row_02_redirections_and_loops,
        sessions::row_03_any_bytes,
        sessions::row_04_output_that_comes_late,
        sessions::row_05_what_is_no_command,
        sessions::row_06_the_command_exits,
        sessions::row_07_set_minus_e_left_on,
        sessions::row_08_the_shell_is_replaced,
        sessions::row_09_what_the_user_redefines,
        sessions::row_10_break_and_return_at_the_top,
        sessions_turns::row_11_a_timeout,
        sessions_turns::row_12_an_interrupt,
        sessions_turns::row_13_both_streams_are_complete,
        sessions_turns::row_14_what_looks_like_a_border,
        sessions_turns::row_15_much_output,
        sessions_turns::row_16_prompts_come_as_they_are,
        sessions_turns::row_17_a_long_script,
        sessions_turns::row_18_the_shell_or_its_container_is_killed,
        sessions_turns::row_19_exit_codes_and_signals,
        sessions_turns::row_20_many_callers,
        sessions_turns::a_shell_that_does_not_come_back,
        session_ends::a_dropped_turn_leaves_nothing,
        session_ends::a_dropped_turn_in_the_queue,
        session_ends::a_dropped_session_leaves_nothing,
        session_ends::a_closed_session_leaves_its_container,
        session_ends::a_shutdown_closes_sessions_first,
        session_ends::several_sessions_of_one_container,
        session_options::a_session_has_its_options,
        session_options::callbacks_of_a_session,
        session_options::a_shell_that_is_not_there,
        small::small_commands_are_streamed,
        small::small_commands_in_the_background,
        small::a_sleeping_process_is_killed,
        small::a_shutdown_waits_for_no_reader,
        walks::a_hundred_random_commands_beside_a_model,
        walks::borders_that_were_overheard_are_output,
        files::a_file_is_written_and_read,
        files::names_of_any_kind,
        files::what_is_told_of_files,
        files::files_have_their_errors,
        files::a_file_as_a_stream,
        transfers::a_tree_goes_in_and_out,
        transfers::a_sparse_file_goes_in_and_out,
        transfers::destinations_are_as_with_rsync,
        transfers::what_is_mounted_is_seen,
        transfers::what_is_sent_belongs_to_the_user,
        transfers::transfers_have_their_errors,
        transfers::dropped_transfers_leave_nothing,
        options::limits_hold_inside,
        options::half_a_processor_is_half_a_processor,
        options::a_hog_is_killed,
        options::a_disk_limit_holds_or_is_refused,
        options::what_is_mounted_is_as_asked,
        options::devices_are_given,
        options::ports_are_bound_and_told,
        networks::ports_are_reached_where_they_are_bound,
        networks::a_port_of_ones_own_is_had_by_one,
        networks::a_network_has_its_containers,
        options::rights_are_taken_and_given,
        options::a_profile_of_ones_own,
        options::commands_have_their_containers_limits,
        presets::what_is_not_trusted_can_do_little,
        presets::what_is_not_trusted_works,
        presets::a_fork_bomb_stays_at_home,
        presets::presets_can_be_changed,
        hostile_guests::decoys_neither_hide_nor_suffer,
        hostile_guests::what_looks_like_frames_is_output,
        hostile_specs::hostile_text_is_text,
        hostile_specs::labels_of_an_image_are_not_ours,
        infos::all_about_a_container,
        infos::one_that_was_stopped,
        infos::memory_without_the_page_cache,
        infos::cpu_use_is_what_was_used,
        infos::why_a_container_ended,
        infos::why_one_that_is_gone_ended,
        infos::why_a_command_ended,
        infos::the_doctor_knows_its_engine,
        again::a_reboot_keeps_files_and_tells_handles,
        again::a_fresh_reboot_is_as_new,
        again::a_reboot_keeps_all_that_was_asked_for,
        again::a_reboot_without_its_image,
        again::a_dropped_fresh_reboot_goes_on,
        again::a_persistent_one_stays_and_is_found_again,
        again::one_on_a_leash_is_tied,
        again::a_lifetime_holds_without_us,
        again::only_ours_are_seen,
        again::a_snapshot_is_an_image,
        again::what_is_left_over_is_pruned,
        pools::a_pool_gives_each_once,
        pools::a_dead_one_of_a_pool_is_replaced,
        pools::a_pool_that_is_dropped_leaves_nothing,
        pools::several_take_from_a_pool,
        pools::a_pool_has_its_errors,
        transfers_names::names_of_any_kind_go_in_and_out,
        transfers_beside::what_changes_while_it_is_sent_is_told,
        transfers_beside::progress_is_told_with_its_total,
        transfers_beside::file_work_holds_up_no_other_call,
        hostile_files::a_tree_that_is_hostile_writes_nothing_elsewhere,
    ],
    // They kill or weigh processes of their own, which no recording has.
    once: [
        clients::killed_at_a_hundred_moments,
        clients::killed_after_a_restart,
        clients::killed_and_what_is_to_stay_stays,
        clients::a_gibibyte_in_less_than_32_mebibytes,
        clients::transfers_of_two_gibibytes_in_little_memory,
        clients::many_commands_in_one_session,
        clients::a_flood_and_a_long_line_in_one_command,
        hostile_files::a_tar_that_lies_writes_nothing_elsewhere,
        hostile_guests::programs_that_lie_harm_nobody_else,
        hostile_guests::programs_that_never_end_hold_up_nobody_for_ever,
    ],
}

/// The environment variable that asks for every runtime on every engine.
pub const FULL: &str = "POCKET_DOCK_LAB_FULL";

/// The names of the runtimes, in the order of the table.
pub const RUNTIMES: [&str; 6] = ["blocking", "tokio", "tokio-mt", "smol", "async-std", recorded::NAME];

/// Whether a case is tried on this runtime and this engine also where not everything is: each on every engine and on every
/// runtime, each engine with two runtimes in turn, and each runtime on a Docker and a Podman.
#[must_use]
pub fn is_covered(number: usize, runtime: &str, engine: &str) -> bool {
    let in_turn = match engine {
        "docker-20" => ["blocking", "tokio"],
        "docker-26" => ["tokio-mt", "smol"],
        "docker-28" => ["async-std", "blocking"],
        "podman-4" => ["tokio", "blocking"],
        "podman-5.4" => ["smol", "tokio-mt"],
        _ => ["blocking", "async-std"],
    };
    in_turn.get(number % 2).is_some_and(|one| *one == runtime)
}

/// One engine, to be tried on one runtime.
#[derive(Debug)]
pub struct Bench<A: Adapter> {
    /// The runtime.
    pub adapter: A,
    /// A second opinion about the engine.
    pub peer: Peer,
    /// The engine as we drive it.
    pub engine: Engine<A::Runtime>,
}

impl<A: Adapter> Bench<A> {
    /// Connects to the engine that this peer talks to.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn new(adapter: A, peer: Peer) -> Result<Self, Error> {
        let options = Options::new().socket(peer.socket());
        let engine = adapter.wait(Engine::connect_with(adapter.runtime(), options))?;
        Ok(Self { adapter, peer, engine })
    }

    /// How much: all of it on an engine, less where it is recorded.
    fn amount(&self, full: usize, recorded: usize) -> usize {
        if self.adapter.is_recorded() { recorded } else { full }
    }

    /// Another client of the same engine, which knows nothing of this one.
    fn another(&self) -> Result<Self, Error> {
        Self::new(self.adapter.clone(), self.peer.clone())
    }

    /// Waits for the end of a call.
    fn wait<O: Op>(&self, call: Call<A, O>) -> Result<O::Output, Error> {
        self.adapter.wait(call)
    }

    fn sandbox(&self) -> Result<Container<A::Runtime>, Error> {
        self.wait(self.engine.create(ContainerSpec::new(lab::images::BUSYBOX)))
    }

    fn python(&self) -> Result<Container<A::Runtime>, Error> {
        self.wait(self.engine.create(ContainerSpec::new(lab::images::PYTHON)))
    }

    /// Twelve hex digits that no other case has.
    fn random(&self) -> String {
        let bytes = self.adapter.runtime().host().entropy();
        bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Waits until something holds, for 30 s at most.
    fn until(&self, what: &str, mut holds: impl FnMut() -> Result<bool, Failure>) -> Verdict {
        let until = self.adapter.now() + Duration::from_secs(30);
        let mut pause = Duration::from_millis(10);
        while !holds()? {
            check(self.adapter.now() < until, || format!("{what}: not within 30 s"))?;
            self.adapter.pause(pause);
            // What asks may take as much of the machine as what is waited for.
            pause = (pause * 3 / 2).min(Duration::from_millis(300));
        }
        Ok(())
    }

    /// Waits until the engine itself knows no such container: a removal that was accepted may not have ended. In the
    /// middle of it, Podman answers with an error of its own.
    fn until_gone(&self, name: &str) -> Verdict {
        let until = self.adapter.now() + Duration::from_secs(30);
        while self.knows(name).unwrap_or(true) {
            check(self.adapter.now() < until, || {
                format!("{name} is still there after 30 s")
            })?;
            self.adapter.pause(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits until these commands run in a container and no others: the shell of one that was just awaited may be on its
    /// way out.
    fn until_listed(&self, sandbox: &Container<A::Runtime>, ids: &[&str]) -> Verdict {
        self.until(&format!("only {ids:?} run"), || {
            let listed = self.wait(sandbox.processes())?;
            Ok(listed.iter().map(|one| one.id.as_str()).eq(ids.iter().copied()))
        })
    }

    /// Whether the engine itself knows a container of this name.
    fn knows(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.peer.inspect(name)?.is_some())
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn same<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Verdict {
    check(got == wanted, || format!("{what}: got {got:?}, wanted {wanted:?}"))
}

#[cfg(test)]
mod tests {
    use super::{RUNTIMES, is_covered};
    use crate::lab::ENGINES;
    use crate::recorded;

    #[test]
    fn each_case_is_tried_on_every_engine_and_on_every_runtime() {
        let runtimes = || RUNTIMES.into_iter().filter(|runtime| *runtime != recorded::NAME);
        for number in 0..4 {
            for engine in ENGINES {
                let on = runtimes().filter(|runtime| is_covered(number, runtime, engine.name));
                assert_eq!(on.count(), 1, "{number} on {}", engine.name);
            }
            for runtime in runtimes() {
                let on = |engine: &&crate::lab::Engine| is_covered(number, runtime, engine.name);
                assert!(ENGINES.iter().any(|engine| on(&engine)), "{number} on {runtime}");
            }
        }
        for runtime in runtimes() {
            for kind in ["docker", "podman"] {
                let tried = |number| {
                    let mut those = ENGINES.iter().filter(|engine| engine.name.starts_with(kind));
                    those.any(|engine| is_covered(number, runtime, engine.name))
                };
                assert!(tried(0) || tried(1), "{runtime} on a {kind}");
            }
        }
    }
}
