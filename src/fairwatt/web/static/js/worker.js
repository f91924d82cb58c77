// Shows a message while no page is open, tells that it was shown, and opens what it is about.
"use strict";
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : {};
  const url = new URL(told.url || "/", self.location.origin);
  // Another site's address is not followed, whoever wrote it.
  const ours = url.origin === self.location.origin ? url.href : self.location.origin;
  const shown = self.registration.showNotification(told.title || "Fairwatt", {
    body: told.body || "", tag: told.tag || "", data: { url: ours }, icon: "/static/icon.svg",
  });
  event.waitUntil(shown.then(() => fetch(new URL("seen/", ours), { method: "POST", credentials: "omit" })).catch(() => {}));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.url));
});
