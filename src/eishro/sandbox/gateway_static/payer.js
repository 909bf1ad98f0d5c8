/* Sends the form that leads back to the shop, as gateways do. */
"use strict";

(() => {
  const back = document.getElementById("back");
  if (back) back.submit();
})();
