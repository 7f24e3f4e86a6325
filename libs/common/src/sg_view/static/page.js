// The entry of the page that a service shows: drop a file, see how it goes, look at the evidence.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const { element } = view;
  const KEY = "silver-guardian-key";

  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const words = read("words");
  const service = read("service");
  const root = document.getElementById("view");
  const preferred = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2)).find((code) => code in words);

  const state = {
    language: preferred ?? "en",
    file: null, // the one that was asked about last
    asked: null, // the language that it was asked in
    results: null, // what the services said of it
    trouble: null, // why nothing was said, as a problem
    player: null,
    cancel: null,
    key: sessionStorage.getItem(KEY),
    wantsKey: false,
  };

  const kinds = (file) => {
    // A recording has no picture: nothing to ask the other service for.
    const both = service.peer && !(service.kind === "audio" && file.type.startsWith("audio/"));
    return both ? [service.kind, service.peer].sort() : [service.kind];
  };

  /** Why a file can't be judged, where that is plain before it is sent. */
  const refusal = (file) => {
    if (file.type.startsWith("image/") && file.type !== "image/gif") return { code: "photograph", detail: "" };
    if (file.size > service.max_bytes) return { code: "limit-exceeded", detail: `${file.size} > ${service.max_bytes}` };
    return null;
  };

  const take = (file) => {
    state.cancel?.();
    if (state.player) URL.revokeObjectURL(state.player.media.src);
    Object.assign(state, { file, results: null, player: null, cancel: null, wantsKey: false, trouble: refusal(file) });
    if (!state.trouble && service.keys && !state.key) state.wantsKey = true;
    if (state.trouble || state.wantsKey) return show();
    return judge();
  };

  const judge = () => {
    const { file, language } = state;
    const outcomes = new Map();
    const wanted = kinds(file);
    const headers = { "Accept-Language": language, ...(state.key ? { "X-API-Key": state.key } : {}) };
    const going = progressPart(view.speaker(words[language]), file, wanted);
    const listener = {
      sent: going.sent,
      event: (name, data) => {
        const kind = data.service ?? service.kind;
        if (name === "progress") return going.told(kind, data);
        outcomes.set(kind, { kind, [name === "result" ? "report" : "problem"]: data });
        going.done(kind);
      },
      ended: (problem) => {
        state.cancel = null;
        const problems = [...outcomes.values()].map(({ problem: own }) => own).filter(Boolean);
        const alike = new Set(problems.map(view.problemCode)).size === 1 && problems.length === outcomes.size;
        if (problem) fail(problem);
        else if (wanted.some((kind) => !outcomes.has(kind))) fail({ code: "broken-off", detail: "" });
        else if (alike) fail(problems[0]);
        else reveal(wanted.map((kind) => outcomes.get(kind)), going);
      },
    };
    Object.assign(state, { asked: language, trouble: null });
    const address = `${service.root}/analyze${wanted.length > 1 ? "?peer=true" : ""}`;
    state.cancel = view.ask(address, file, headers, listener);
    frame(going.holder);
    going.holder.focus();
  };

  const fail = (problem) => {
    const refused = view.problemCode(problem) === "unauthorized";
    if (refused) forget();
    Object.assign(state, { trouble: problem, wantsKey: refused });
    show();
  };

  const forget = () => {
    state.key = null;
    sessionStorage.removeItem(KEY);
  };

  const reveal = async (results, going) => {
    const { file } = state;
    going.drawing();
    for (const result of results) {
      const { report } = result;
      Object.assign(result, { pictures: {}, lang: state.asked });
      if (report?.suspicious_frames) result.pictures.frames = await view.drawFrames(file, report);
      if (report && "audio_duration" in report) Object.assign(result.pictures, await view.drawSound(file, report));
    }
    if (state.file !== file) return;
    state.results = results;
    const seen = results.some(({ kind, report }) => kind === "video" && report);
    const unplayable = () => {
      const titled = document.activeElement === root.querySelector("h1");
      state.player = null;
      show();
      if (titled) focusTitle();
    };
    state.player = results.some(({ report }) => report) ? view.player(file, seen, unplayable) : null;
    show();
    focusTitle();
  };

  /** Where the answer begins, for those who read or move by keyboard. */
  const focusTitle = () => {
    const title = root.querySelector("h1");
    title.tabIndex = -1;
    title.focus();
  };

  const progressPart = (say, file, wanted) => {
    const bar = (label) => {
      const shown = element("progress", { max: 1, "aria-label": label });
      const note = element("span", { class: "soft" });
      return { shown, note, row: element("div", { class: "row" }, element("span", {}, label), shown, note) };
    };
    const upload = bar(say("sending"));
    const services = new Map(wanted.map((kind) => [kind, bar(say(`kind.${kind}`))]));
    const status = element("p", { role: "status" }, say("sending"));
    const tell = (text) => {
      if (status.textContent !== text) status.textContent = text;
    };
    const fill = (bar_, share) => (share === null ? bar_.shown.removeAttribute("value") : (bar_.shown.value = share));
    fill(upload, 0);
    for (const each of services.values()) fill(each, 0);
    const stop = () => {
      state.cancel?.();
      Object.assign(state, { cancel: null, file: null });
      show();
      root.querySelector(".drop button").focus();
    };
    const holder = element(
      "section",
      { class: "going", tabindex: "-1" },
      element("h2", {}, say("judging", { file: file.name })),
      status,
      upload.row,
      ...[...services.values()].map(({ row }) => row),
      element("button", { type: "button", class: "action", click: stop }, say("cancel")),
    );
    return {
      holder,
      sent: (share) => {
        fill(upload, share);
        if (share === 1) tell(say("sent"));
      },
      told: (kind, { stage, done }) => {
        fill(upload, 1);
        fill(services.get(kind), done);
        services.get(kind).note.textContent = say(`stage.${stage}`);
        tell(say("at_work"));
      },
      done: (kind) => {
        fill(services.get(kind), 1);
        services.get(kind).note.textContent = say("done");
      },
      drawing: () => tell(say("drawing")),
    };
  };

  const chooser = (say) => {
    const input = element("input", { type: "file", accept: "audio/*,video/*", hidden: true, change: () => input.files[0] && take(input.files[0]) });
    return element(
      "section",
      { class: "drop" },
      element("p", {}, state.results ? say("drop_another") : say("drop")),
      element("button", { type: "button", class: "action", click: () => input.click() }, say("choose")),
      input,
      element("p", { class: "soft" }, say("drop_note")),
    );
  };

  const keyForm = (say) => {
    const input = element("input", { type: "password", id: "key", autocomplete: "off", required: true });
    const submit = (event) => {
      event.preventDefault();
      state.key = input.value;
      sessionStorage.setItem(KEY, state.key);
      state.wantsKey = false;
      judge();
    };
    return element(
      "form",
      { class: "drop", submit },
      element("label", { for: "key" }, say("key")),
      element("p", {}, input, " ", element("button", { class: "action" }, say("key_send"))),
      element("p", { class: "soft" }, say("key_note")),
    );
  };

  /** Both verdicts at a glance, side by side also where their reasons are not. */
  const verdictsPart = (say) =>
    state.results.length < 2
      ? null
      : element(
          "ul",
          { class: "verdicts" },
          state.results.map(({ kind, report }) =>
            element("li", {}, element("a", { href: `#kind-${kind}` }, say(`kind.${kind}`)), " ", view.badge(say, report?.verdict ?? "not_judged")),
          ),
        );

  const playerPart = (say) => {
    if (!state.results.some(({ report }) => report)) return null;
    return element(
      "section",
      { class: "player" },
      element("p", { class: "soft" }, state.player ? say("stays_here") : say("cannot_play")),
      state.player?.media,
    );
  };

  const againPart = (say) =>
    state.asked === state.language
      ? null
      : element("p", { class: "again" }, element("button", { type: "button", class: "action", click: () => take(state.file) }, say("again")));

  /** The page around anything but results. */
  const frame = (...parts) => {
    const say = view.speaker(words[state.language]);
    document.title = "Silver Guardian";
    document.documentElement.classList.remove("beside");
    view.forgetCharts();
    view.frame(root, say("page_title"), { words, language: state.language, onLanguage: state.cancel ? null : speak }, ...parts);
  };

  const speak = (code) => {
    state.language = code;
    show();
  };

  const show = () => {
    const say = view.speaker(words[state.language]);
    if (!state.results) {
      const trouble = state.trouble && element("div", { class: "trouble", role: "alert" }, view.problem(say, state.trouble));
      frame(...[trouble, state.wantsKey ? keyForm(say) : null, chooser(say)].filter(Boolean));
      root.querySelector("#key")?.focus();
      return;
    }
    const shown = { file: { name: state.file.name, bytes: state.file.size }, results: state.results };
    document.title = `${state.file.name} - Silver Guardian`;
    document.documentElement.classList.toggle("beside", state.results.length > 1);
    view.show(root, shown, {
      words,
      language: state.language,
      play: state.player?.play ?? null,
      extra: (speaker) => element("div", {}, ...[verdictsPart(speaker), againPart(speaker), playerPart(speaker)].filter(Boolean)),
      after: chooser,
      onLanguage: speak,
    });
  };

  // A file that misses the zone must not make the browser leave the page.
  const dragged = (over) => (event) => {
    event.preventDefault();
    document.documentElement.classList.toggle("dragged", over);
  };
  addEventListener("dragover", dragged(true));
  addEventListener("dragleave", dragged(false));
  addEventListener("drop", (event) => {
    dragged(false)(event);
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  show();
})();
