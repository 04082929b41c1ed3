//! The whole page, and the one place that holds its state.

use web_sys::File;
use yew::{Callback, Html, component, html, use_callback, use_mut_ref, use_reducer};

use super::alerts::Alerts;
use super::benchmark::Benchmark;
use super::composer::Composer;
use super::footer::Footer;
use super::header::Header;
use super::hooks::{use_composer_focus, use_file_drop, use_route, use_shortcuts, use_theme, use_worker};
use super::models::Models;
use super::stats::Stats;
use super::transcript::Transcript;
use super::welcome::Welcome;
use crate::platform;
use crate::route::Route;
use crate::state::{Action, State};
use protocol::ModelSource;

#[component]
pub(crate) fn App() -> Html {
    let state = use_reducer(first_state);
    let dispatcher = state.dispatcher();
    let act = use_callback((), move |action: Action, ()| dispatcher.dispatch(action));
    // The files themselves can't be part of the state: they are the browser's, and have no value to compare.
    let picked = use_mut_ref(Vec::<File>::new);
    let open_files: Callback<Vec<File>> = {
        let (picked, act) = (picked.clone(), act.clone());
        use_callback((), move |files: Vec<File>, ()| {
            // By name: of a split model the first file comes first.
            let Some(name) = files.iter().map(File::name).min() else { return };
            *picked.borrow_mut() = files;
            act.emit(Action::Load(ModelSource::File { name }));
        })
    };

    use_worker(&state, &act, picked);
    use_theme(state.theme);
    use_route(state.route, &act);
    use_shortcuts(&act);
    use_composer_focus(&state);
    let dragging = use_file_drop(open_files.clone());

    let talking = !state.conversation.is_empty();
    html! {
        <div class="page">
            <Header
                model={state.model.clone()}
                theme={state.theme}
                choosing={state.shows_models()}
                talking={talking}
                act={act.clone()}
            />
            <Alerts alerts={state.alerts.clone()} can_load={state.can_load()} act={act.clone()} />
            if state.shows_models() {
                <Models
                    catalogue={state.catalogue.clone()}
                    worker={state.worker}
                    model={state.model.clone()}
                    route={state.route}
                    options={state.options}
                    sampling={state.sampling.clone()}
                    mistyped={state.mistyped.clone()}
                    url={state.url.clone()}
                    can_load={state.can_load()}
                    busy={state.busy()}
                    talking={talking}
                    act={act.clone()}
                    open_files={open_files}
                />
            } else if state.route == Route::Benchmark {
                <Benchmark
                    benchmark={state.benchmark.clone()}
                    loaded={state.loaded().cloned()}
                    can_start={state.can_benchmark()}
                    act={act.clone()}
                />
            } else if talking {
                <Transcript
                    conversation={state.conversation.clone()}
                    answer={state.answer.clone()}
                    can_regenerate={state.can_regenerate()}
                    act={act.clone()}
                />
            } else {
                <Welcome loaded={state.loaded().cloned()} can_bring_back={!state.put_away.is_empty()} act={act.clone()} />
            }
            { bottom(&state, act) }
            <p class="sr-only" role="status" aria-live="polite" data-testid="status">{ state.status }</p>
            if dragging {
                <div class="drop-hint" aria-hidden="true"><p>{ "Drop a model’s files to load them" }</p></div>
            }
        </div>
    }
}

/// Nothing is written beside the benchmark.
fn bottom(state: &State, act: Callback<Action>) -> Html {
    let footer = html! {
        <Footer loaded={state.loaded().cloned()} catalogue={state.catalogue.clone()} route={state.route} />
    };
    match state.route {
        Route::Benchmark => html! { <div class="bottom">{ footer }</div> },
        Route::Chat => html! {
            <section class="bottom" aria-label="Write a message">
                <Stats
                    usage={state.usage.filter(|_| !state.shows_models())}
                    context={state.loaded().map(|loaded| loaded.model.context)}
                />
                <Composer
                    draft={state.draft.clone()}
                    blocker={state.blocker()}
                    can_send={state.can_send()}
                    answer={state.answer.clone()}
                    {act}
                />
                { footer }
            </section>
        },
    }
}

fn first_state() -> State {
    State::first(platform::remembered_theme(), platform::route())
}
