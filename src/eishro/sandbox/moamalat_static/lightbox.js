/* The simulator's Lightbox.Checkout: the merchant's page sets `configure`, we open our card form
   in a frame of our own origin and pass on what it says. */
"use strict";

(() => {
  const home = new URL("..", document.currentScript.src).href;
  const FIELDS = ["MID", "TID", "AmountTrxn", "MerchantReference", "TrxDateTime", "SecureHash"];
  const LOOK = {
    position: "fixed",
    inset: "0",
    width: "100%",
    height: "100%",
    border: "0",
    zIndex: "2147483647",
    background: "rgba(15, 23, 32, .55)",
  };
  let frame = null;

  function callBack(name, payload) {
    const found = (Checkout.configure || {})[name];
    if (typeof found === "function") found(payload);
  }

  const Checkout = {
    configure: {},

    showLightbox() {
      Checkout.closeLightbox();
      const query = new URLSearchParams();
      for (const name of FIELDS) {
        const value = (Checkout.configure || {})[name];
        query.set(name, value === undefined || value === null ? "" : value);
      }
      query.set("opener", location.origin);
      query.set("lang", document.documentElement.lang === "en" ? "en" : "ar");
      frame = document.createElement("iframe");
      frame.id = "moamalat-lightbox";
      frame.title = "Moamalat";
      Object.assign(frame.style, LOOK);
      frame.src = home + "form?" + query;
      document.body.appendChild(frame);
    },

    closeLightbox() {
      if (frame) frame.remove();
      frame = null;
    },
  };

  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow) return;
    if (event.origin !== new URL(home).origin) return;
    const news = event.data || {};
    if (news.kind === "complete") callBack("completeCallback", news.payload);
    if (news.kind === "error") callBack("errorCallback", news.payload);
    if (news.kind === "cancel") {
      Checkout.closeLightbox();
      callBack("cancelCallback");
    }
  });

  window.Lightbox = { Checkout };
})();
