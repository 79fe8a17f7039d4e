"use strict";
(() => {
  // Charts replace the still pictures that stand in for them; where a chart fails the picture stays.
  for (const figure of document.querySelectorAll("figure[data-figure]")) {
    const still = figure.querySelector("img");
    const place = figure.querySelector(".chart");
    figure.querySelector("a.svg").href = still.src;
    const spec = JSON.parse(figure.querySelector("script").textContent);
    // `ast` interprets expressions instead of compiling them, so that the page may forbid eval.
    window
      .vegaEmbed(place, spec, { renderer: "svg", actions: false, ast: true })
      .then(() => {
        still.hidden = true;
        figure.dataset.drawn = "yes";
      })
      .catch((error) => console.error(`${figure.dataset.figure}: ${error}`));
  }

  // What is folded on the screen is shown on paper.
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
  });

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      const folded = source.closest("details");
      if (folded) folded.open = true;
      getSelection().selectAllChildren(source);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
      }
    });
  }
})();
