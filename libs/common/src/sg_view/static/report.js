// The entry of a report that is a file of its own. Its reader may open the judged file in it, which stays where it is.
"use strict";
(() => {
  const view = window.SilverGuardian;
  const { element } = view;
  const HASHED = 512 * 1024 * 1024; // bytes that a browser takes into memory to tell the file by its hash

  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const words = read("words");
  const shown = read("document");
  const root = document.getElementById("view");
  const preferred = shown.lang ?? navigator.language.slice(0, 2);
  let language = preferred in words ? preferred : "en";
  let player = null;
  let note = null;

  const judged = (shown.results ?? []).find(({ report }) => report)?.report;
  const seen = (shown.results ?? []).some(({ kind, report }) => kind === "video" && report);

  const hash = async (file) => {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const open = async (file) => {
    player = null;
    note = "other_file";
    const checked = globalThis.crypto?.subtle && file.size <= HASHED;
    if (file.size === (shown.file.bytes ?? file.size) && (!checked || (await hash(file)) === judged.sha256)) {
      note = checked ? "same_file" : null;
      player = view.player(file, seen, () => {
        player = null;
        note = "cannot_play";
        show();
      });
    }
    show();
    root.querySelector(".player input").focus();
  };

  const playerPart = (say) =>
    element(
      "section",
      { class: "player" },
      element("p", { id: "player-hint" }, say("listen_hint")),
      element(
        "label",
        {},
        `${say("choose_file", { file: shown.file.name })} `,
        element("input", { type: "file", "aria-describedby": "player-hint", change: (event) => event.target.files[0] && open(event.target.files[0]) }),
      ),
      element("p", { role: "status" }, note ? say(note) : ""),
      player?.media,
    );

  const show = () =>
    view.show(root, shown, {
      words,
      language,
      play: player?.play ?? null,
      extra: judged ? playerPart : null,
      onLanguage: (code) => {
        language = code;
        show();
      },
    });
  show();
})();
