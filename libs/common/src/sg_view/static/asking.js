// Sends a file to the service and reads its events. XMLHttpRequest also tells how much of the file has been sent.
"use strict";
(() => {
  const view = window.SilverGuardian;

  const parsed = (block) => {
    const fields = { event: "", data: "" };
    for (const line of block.split(/\r?\n/)) {
      const [, name, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
      if (name in fields) fields[name] += value;
    }
    return fields;
  };

  /**
   * Ask about a file.
   *
   * @param {string} address where.
   * @param {File} file the file.
   * @param {object} headers further headers.
   * @param {object} listener `sent(share)` of the upload, `event(name, data)`, and `ended(problem)` at the end: null where
   *   the service has told everything by events.
   * @returns a function that cancels it; the listener hears no more.
   */
  view.ask = (address, file, headers, { sent, event, ended }) => {
    const request = new XMLHttpRequest();
    let read = 0;
    const told = () => (request.getResponseHeader("Content-Type") ?? "").startsWith("text/event-stream");
    const readEvents = () => {
      if (!told()) return;
      const text = request.responseText;
      for (let end = text.indexOf("\n\n", read); end >= 0; end = text.indexOf("\n\n", read)) {
        const { event: name, data } = parsed(text.slice(read, end));
        read = end + 2;
        if (name) event(name, JSON.parse(data));
      }
    };
    request.open("POST", address);
    // Whatever the browser takes the file for: as a form or as JSON the service would look into it for something else.
    const all = { Accept: "text/event-stream", "Content-Type": "application/octet-stream", ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => sent(total ? loaded / total : 0));
    request.upload.addEventListener("load", () => sent(1));
    request.addEventListener("progress", readEvents);
    request.addEventListener("load", () => {
      readEvents();
      if (told()) return ended(null);
      try {
        ended(JSON.parse(request.responseText));
      } catch {
        ended({ code: "strange", detail: `${request.status} ${request.statusText}` });
      }
    });
    request.addEventListener("error", () => ended({ code: "unreachable", detail: "" }));
    request.send(file);
    return () => request.abort();
  };
})();
