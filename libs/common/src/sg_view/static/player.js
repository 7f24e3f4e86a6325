// Media at hand: a file that its reader has, played from any moment. It stays where it is.
"use strict";
(() => {
  const view = window.SilverGuardian;

  /**
   * An element that plays a file, and what plays a stretch of it.
   *
   * @param {File} file what to play.
   * @param {boolean} seen whether it has a picture.
   * @param {function} failed called where this browser can't play it.
   * @returns `{media, play(start, end)}`, seconds; `end` null to play on.
   */
  view.player = (file, seen, failed) => {
    let stopAt = null;
    const media = view.element(seen ? "video" : "audio", { controls: true, src: URL.createObjectURL(file), "aria-label": file.name });
    media.addEventListener("timeupdate", () => {
      if (stopAt === null || media.currentTime < stopAt) return;
      stopAt = null;
      media.pause();
    });
    media.addEventListener("error", failed);
    const play = (start, end) => {
      stopAt = end;
      media.currentTime = start;
      media.play().catch(() => {}); // it tells its errors by its event
      media.scrollIntoView({ block: "nearest" });
    };
    return { media, play };
  };
})();
