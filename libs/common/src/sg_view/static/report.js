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
  let media = null;
  let note = null;
  let stopAt = null;

  const judged = (shown.results ?? []).find(({ report }) => report)?.report;
  const seen = (shown.results ?? []).some(({ kind, report }) => kind === "video" && report);

  const hash = async (file) => {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const play = (start, end) => {
    stopAt = end;
    media.currentTime = start;
    media.play();
    media.scrollIntoView({ block: "nearest" });
  };

  const open = async (file) => {
    media = null;
    note = "other_file";
    const checked = globalThis.crypto?.subtle && file.size <= HASHED;
    if (file.size === shown.file.bytes && (!checked || (await hash(file)) === judged.sha256)) {
      note = checked ? "same_file" : null;
      media = element(seen ? "video" : "audio", { controls: true, src: URL.createObjectURL(file) });
      media.addEventListener("timeupdate", () => {
        if (stopAt === null || media.currentTime < stopAt) return;
        stopAt = null;
        media.pause();
      });
      media.addEventListener("error", () => {
        media = null;
        note = "cannot_play";
        show();
      });
    }
    show();
    root.querySelector(".player input").focus();
  };

  const player = (say) =>
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
      media,
    );

  const show = () =>
    view.show(root, shown, {
      words,
      language,
      play: media && play,
      extra: judged ? player : null,
      onLanguage: (code) => {
        language = code;
      },
    });
  show();
})();
